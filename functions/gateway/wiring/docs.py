"""The API's documentation, read once for each execution environment."""

from functools import cache

from functions.gateway.adapters.docs_files import read_asset, read_openapi, read_page


@cache
def openapi() -> str:
    return read_openapi()


@cache
def page() -> str:
    return read_page()


@cache
def asset(file: str) -> str:
    return read_asset(file)

"""GET /docs: the OpenAPI document as a page."""

import re
from importlib import import_module

from tools.openapi.routes import routes

PAGE = next(route for route in routes() if str(route) == "GET /docs")


def test_the_page_loads_only_files_that_the_api_serves() -> None:
    response = import_module(PAGE.module).handler(PAGE.sample, None)
    assert response["statusCode"] == 200
    assert response["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in response["headers"]["Content-Security-Policy"]
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", response["body"])
    assert loaded
    assert not [address for address in loaded if "//" in address]

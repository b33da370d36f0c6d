"""The files that document the API: the OpenAPI document, its page, and what the page loads."""

from importlib.util import find_spec
from pathlib import Path

from common.domain.shared_errors import ServiceUnavailable

_SERVICE = Path(__file__).parents[1]
_DOCS = _SERVICE / "docs"


def read_openapi() -> str:
    return (_SERVICE / "openapi.json").read_text(encoding="utf-8")


def read_page() -> str:
    return (_DOCS / "page.html").read_text(encoding="utf-8")


def read_asset(file: str) -> str:
    """A file of ours, or one of Swagger UI's. Raises ServiceUnavailable without the docs layer."""
    if (_DOCS / file).is_file():
        return (_DOCS / file).read_text(encoding="utf-8")
    # Found, not imported: the package is Django's, and the layer has only its static files (layers/docs/Makefile).
    package = find_spec("drf_spectacular_sidecar")
    if package is None or not package.submodule_search_locations:
        raise ServiceUnavailable()
    static = Path(package.submodule_search_locations[0]) / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"
    return (static / file).read_text(encoding="utf-8")

"""GET /docs/{file}: what the page loads, out of the docs layer: no other function carries it."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from common.domain.shared_errors import ServiceUnavailable
from common.http import request
from common.http.endpoint import Answer, endpoint

OURS = Path(__file__).parents[1] / "docs"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class AssetPath(request.Path):
    file: Literal["init.js", "swagger-ui-bundle.js", "swagger-ui.css"]


@cache
def _text(file: str) -> str:
    if (OURS / file).is_file():
        return (OURS / file).read_text(encoding="utf-8")
    # Found, not imported: the package is Django's, and the layer has only its static files (layers/docs/Makefile).
    package = find_spec("drf_spectacular_sidecar")
    if package is None or not package.submodule_search_locations:
        raise ServiceUnavailable()
    static = Path(package.submodule_search_locations[0]) / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"
    return (static / file).read_text(encoding="utf-8")


@endpoint(limit=None, answers={200: "text/*"})
def handler(path: AssetPath) -> Answer:
    kind = TYPES[Path(path.file).suffix]
    return Answer(_text(path.file), headers={"Content-Type": kind, "Cache-Control": "public, max-age=86400"})

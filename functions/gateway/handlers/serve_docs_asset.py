"""GET /docs/{file}: what the page loads, from the docs layer, which no other function has."""

from pathlib import Path
from typing import Literal

from common.http import request
from common.http.endpoint import Response, endpoint
from functions.gateway.wiring import docs

TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class AssetPath(request.Path):
    file: Literal["init.js", "swagger-ui-bundle.js", "swagger-ui.css"]


@endpoint(limit=None, responses={200: "text/*"})
def handler(path: AssetPath) -> Response:
    kind = TYPES[Path(path.file).suffix]
    return Response(docs.asset(path.file), headers={"Content-Type": kind, "Cache-Control": "public, max-age=86400"})

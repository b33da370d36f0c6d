"""GET /docs/{file}: what the page loads, from the docs layer, which no other function has."""

from pathlib import Path
from typing import Literal

from common.http import request
from common.http.endpoint import Answer, endpoint
from functions.gateway.wiring import docs

TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class AssetPath(request.Path):
    file: Literal["init.js", "swagger-ui-bundle.js", "swagger-ui.css"]


@endpoint(limit=None, answers={200: "text/*"})
def handler(path: AssetPath) -> Answer:
    kind = TYPES[Path(path.file).suffix]
    return Answer(docs.asset(path.file), headers={"Content-Type": kind, "Cache-Control": "public, max-age=86400"})

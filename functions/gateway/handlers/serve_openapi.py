"""GET /openapi.json: this document. `make generate` makes it of what the handlers declare."""

from functools import cache
from pathlib import Path

from common.http.endpoint import Answer, endpoint


@cache
def _document() -> str:
    return (Path(__file__).parents[1] / "openapi.json").read_text(encoding="utf-8")


@endpoint(limit=None, answers={200: "application/json"})
def handler() -> Answer:
    return Answer(_document(), headers={"Cache-Control": "public, max-age=300"})

"""GET /docs: the document as a page to read and try (Swagger UI)."""

from functools import cache
from pathlib import Path

from common.http.endpoint import Answer, endpoint

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    # Nothing inline and nothing from elsewhere; icons are data: in the style sheet.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "public, max-age=300",
}


@cache
def _page() -> str:
    return (Path(__file__).parents[1] / "docs" / "page.html").read_text(encoding="utf-8")


@endpoint(limit=None, answers={200: "text/html"})
def handler() -> Answer:
    return Answer(_page(), headers=HEADERS)

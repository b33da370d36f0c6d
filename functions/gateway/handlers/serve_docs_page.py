"""GET /docs: the document as a page to read and try (Swagger UI)."""

from common.http.endpoint import Response, endpoint
from functions.gateway.wiring import docs

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    # Nothing inline and nothing from elsewhere; icons are data: in the style sheet.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "public, max-age=300",
}


@endpoint(limit=None, responses={200: "text/html"})
def handler() -> Response:
    return Response(docs.page(), headers=HEADERS)

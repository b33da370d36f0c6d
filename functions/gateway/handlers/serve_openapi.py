"""GET /openapi.json: this document. `make generate` makes it of what the handlers declare."""

from common.http.endpoint import Response, endpoint
from functions.gateway.wiring import docs


@endpoint(limit=None, responses={200: "application/json"})
def handler() -> Response:
    return Response(docs.openapi(), headers={"Cache-Control": "public, max-age=300"})

"""GET /openapi.json: this document. `make generate` makes it of what the handlers declare."""

from common.http.endpoint import Answer, endpoint
from functions.gateway.wiring import docs


@endpoint(limit=None, answers={200: "application/json"})
def handler() -> Answer:
    return Answer(docs.openapi(), headers={"Cache-Control": "public, max-age=300"})

"""Responses with an entity tag, and 304 for a client that already has the response (RFC 9110, 13.1.2)."""

import re
from collections.abc import Callable

from common.domain.model import Model
from common.http.endpoint import Response
from common.http.request import Request
from functions.events.domain.entity_tag import etag

REVALIDATE = "no-cache"  # may be stored, but is revalidated before each use
A_DAY = "public, max-age=86400"

_TAG = re.compile(r'(?:W/)?("[^"]*")')  # compared weakly: a gateway that compresses weakens our tags


def not_modified_or(request: Request, tag: str, text: Callable[[], str], cache_control: str = REVALIDATE) -> Response:
    """304 if the client has the response that `tag` names, else 200 with `text`, which is JSON."""
    headers = {"ETag": tag, "Cache-Control": cache_control}
    if tag in _TAG.findall(request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    return Response(text(), 200, headers)


def with_version(body: Model, version: int, status: int = 200) -> Response:
    """The result of a change, with the tag that the next edit may name in If-Match."""
    return Response(body, status, {"ETag": etag(version)})

"""Answers to who may have them already: an entity tag, and 304 in place of the same again (RFC 9110, 13.1.2)."""

import re
from collections.abc import Callable

from common.http.endpoint import Answer
from common.http.request import Request

REVALIDATE = "no-cache"  # may be kept, and is asked about each time
A_DAY = "public, max-age=86400"

_TAG = re.compile(r'(?:W/)?("[^"]*")')  # compared weakly: a gateway that compresses weakens ours


def unless_known(request: Request, tag: str, text: Callable[[], str], cache_control: str = REVALIDATE) -> Answer:
    """304 if the caller has what `tag` names, else 200 with `text`, which is JSON."""
    headers = {"ETag": tag, "Cache-Control": cache_control}
    if tag in _TAG.findall(request.headers.get("if-none-match", "")):
        return Answer(None, 304, headers)
    return Answer(text(), 200, headers)

"""The If-Match header of an edit."""

from common.http.request import Request
from functions.events.domain.entity_tag import ExpectedVersions


def expected_versions(request: Request) -> ExpectedVersions:
    return ExpectedVersions.from_if_match(request.headers.get("if-match"))

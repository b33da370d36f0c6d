"""Every path there is no route for, `/internal/**` among them (INT-008): a 404 in the caller's language."""

from common.domain.problem import NOT_FOUND
from common.http.endpoint import endpoint


@endpoint(limit=None, refuses=[NOT_FOUND])
def handler() -> None:
    raise NOT_FOUND.refusal()

"""Every path without a route, `/internal/**` among them (INT-008): a 404 in the caller's language."""

from common.domain.shared_errors import NotFound
from common.http.endpoint import endpoint


@endpoint(limit=None, raises=[NotFound])
def handler() -> None:
    raise NotFound()

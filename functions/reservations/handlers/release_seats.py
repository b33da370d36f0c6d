"""DELETE /reservations/hold/{id}: give the seats back before paying."""

from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from common.protection.rate_class import BOOKING
from functions.reservations.domain.errors import NotReleasable
from functions.reservations.wiring.purchases import booking


@endpoint(limit=BOOKING, raises=[NotReleasable])
def handler(user: User, path: IdPath) -> None:
    booking().release(user.id, path.id)

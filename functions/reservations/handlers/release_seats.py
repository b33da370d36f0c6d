"""DELETE /reservations/hold/{id}: give up a hold before it is paid for."""

from common.domain.ids import ReservationId
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from common.protection.rate_class import BOOKING
from functions.reservations.domain.errors import NotReleasable
from functions.reservations.wiring import purchases


@endpoint(limit=BOOKING, raises=[NotReleasable])
def handler(user: User, path: IdPath) -> None:
    purchases.release_seats().release(user.id, ReservationId(path.id))

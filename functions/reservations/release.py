"""DELETE /reservations/hold/{id}: give the seats back before paying."""

from common.edge import endpoint
from common.request import IdPath, User
from functions.reservations.composition import booking


@endpoint
def handler(user: User, path: IdPath) -> None:
    booking().release(user.id, path.id)

"""Moving personal data to a new data key."""

from functools import cache

from common.wiring.database import database
from functions.auth.adapters.sealed_row_repository import SealedRowRepository
from functions.auth.usecases.resealing import Resealing
from functions.auth.wiring.personal_data import vault


@cache
def resealing() -> Resealing:
    return Resealing(database(), SealedRowRepository(database()), vault())

"""Auth asks reservations to close a user's purchases before it withdraws the account (AUTH-018)."""

from common.domain.ids import UserId
from common.domain.model import Model


class CloseAccountRequest(Model):
    """`cancel`: what is live is cancelled at the fee of the day; otherwise it stops the withdrawal."""

    user_id: UserId
    cancel: bool


class CloseAccountResponse(Model):
    cancelled: int

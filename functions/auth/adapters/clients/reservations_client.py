"""Calls to the reservations service: close a user's purchases (AUTH-018)."""

from common.contracts.account_closing import CloseAccountRequest, CloseAccountResponse
from common.contracts.internal_call import Call
from common.domain.ids import UserId
from common.domain.shared_errors import AccountInUse


class ReservationsClient:
    def __init__(self, call: Call, function: str) -> None:
        self._call = call
        self._function = function

    def close(self, user_id: UserId, *, cancel: bool) -> None:
        """No seats are held for the user for a minute. Raises AccountInUse and ServiceUnavailable."""
        request = CloseAccountRequest(user_id=user_id, cancel=cancel)
        self._call(self._function, request, CloseAccountResponse, read=False, raises=[AccountInUse])

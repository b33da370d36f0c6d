"""Internal: close a user's purchases before auth withdraws the account (AUTH-018)."""

from common.contracts.account_closing import CloseAccountRequest, CloseAccountResponse
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: CloseAccountRequest) -> CloseAccountResponse:
    return CloseAccountResponse(cancelled=purchases.close_account().close(request.user_id, cancel=request.cancel))

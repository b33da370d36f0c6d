"""The reservations service, as payments calls it."""

from common.contracts.internal_call import Call
from common.contracts.payable import PayableRequest, PayableResponse
from common.domain.ids import PaymentId, ReservationId, UserId
from common.domain.shared_errors import HoldExpired, NotFound


class ReservationsClient:
    """`function` is the name of the function that answers `PayableRequest`."""

    def __init__(self, call: Call, function: str) -> None:
        self._call = call
        self._function = function

    def payable(
        self, reservation_id: ReservationId, user_id: UserId, payment_id: PaymentId, extension_seconds: int = 0
    ) -> PayableResponse:
        """What the user must pay for the reservation, now with this payment; extends its hold if it ends within
        `extension_seconds`.

        A call that may extend a hold is not a read, and is not retried: the payment gateway needs the time that a retry
        would take. Raises NotFound, HoldExpired or ServiceUnavailable.
        """
        request = PayableRequest(
            reservation_id=reservation_id,
            user_id=user_id,
            payment_id=payment_id,
            extension_seconds=extension_seconds,
        )
        is_read = extension_seconds == 0
        return self._call(self._function, request, PayableResponse, read=is_read, raises=(NotFound, HoldExpired))

    def not_started(self, reservation_id: ReservationId, user_id: UserId, payment_id: PaymentId) -> None:
        """The payment could not be started: the reservation's seats may be changed again. Raises as `payable` does."""
        request = PayableRequest(
            reservation_id=reservation_id, user_id=user_id, payment_id=payment_id, not_started=True
        )
        self._call(self._function, request, PayableResponse, read=True, raises=(NotFound, HoldExpired))

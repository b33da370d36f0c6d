"""What a reservation is refused for."""

from common.domain.problem import Problem

SEAT_TAKEN = Problem("SEAT_TAKEN", 409, "이미 선택된 좌석입니다.", "Some of these seats are taken.")
TOO_MANY_SEATS = Problem(
    "TOO_MANY_SEATS", 409, "한 번에 예매할 수 있는 좌석 수를 초과했습니다.", "More seats than one reservation may have."
)
HOLD_EXISTS = Problem(
    "HOLD_EXISTS",
    409,
    "이미 선점한 좌석이 있습니다.",
    "You hold seats for this event already; change or release that hold.",
)
SEAT_NOT_FOUND = Problem("SEAT_NOT_FOUND", 404, "좌석을 찾을 수 없습니다.", "The event has no such seats.")
SALE_CLOSED = Problem("SALE_CLOSED", 409, "예매가 종료되었습니다.", "The sale is over.")
SALE_NOT_OPEN = Problem("SALE_NOT_OPEN", 409, "아직 예매가 시작되지 않았습니다.", "The sale has not started.")
HOLD_EXPIRED = Problem("HOLD_EXPIRED", 409, "좌석 선점 시간이 만료되었습니다.", "The hold on these seats has ended.")
NOT_CANCELLABLE = Problem(
    "NOT_CANCELLABLE",
    409,
    "공연 당일에는 취소할 수 없습니다.",
    "Not on the day of the show.",
)
NOT_RELEASABLE = Problem(
    "NOT_RELEASABLE", 409, "이미 확정되었거나 취소된 예매입니다.", "The reservation is confirmed or cancelled already."
)
PAYMENT_STARTED = Problem(
    "PAYMENT_STARTED", 409, "결제가 진행 중입니다.", "A payment for this reservation is being approved."
)

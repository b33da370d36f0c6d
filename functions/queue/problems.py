"""What the waiting room refuses."""

from common.domain.problem import Problem

SALE_NOT_OPEN = Problem("SALE_NOT_OPEN", 409, "아직 예매가 시작되지 않았습니다.", "The sale has not opened yet.")
SALE_CLOSED = Problem("SALE_CLOSED", 409, "예매가 종료되었습니다.", "The sale is over.")
SOLD_OUT = Problem("SOLD_OUT", 409, "모든 좌석이 매진되었습니다.", "Every seat is sold.")
ALREADY_WAITING = Problem(
    "ALREADY_WAITING",
    409,
    "이미 다른 공연의 대기열에 있습니다.",
    "You are in line for another event; leave that line first.",
)
NOT_IN_QUEUE = Problem("NOT_IN_QUEUE", 404, "대기열에 없습니다.", "You are not in this line.")
QUEUE_FULL = Problem(
    "QUEUE_FULL", 503, "대기열이 가득 찼습니다. 잠시 후 다시 시도해 주세요.", "The line is full. Try again shortly."
)

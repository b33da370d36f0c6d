"""What the events service refuses beside the kernel's own."""

from common.domain.problem import Problem

SEAT_NOT_FOUND = Problem("SEAT_NOT_FOUND", 404, "해당 공연의 좌석이 아닙니다.", "The event has no such seat.")
VENUE_IN_USE = Problem(
    "VENUE_IN_USE", 409, "예정되거나 진행 중인 공연이 있는 공연장입니다.", "The venue has events that are not over."
)
HALL_IN_USE = Problem(
    "HALL_IN_USE", 409, "예정되거나 진행 중인 공연이 있는 홀입니다.", "The hall has events that are not over."
)
SALE_STARTED = Problem(
    "SALE_STARTED",
    409,
    "예매가 시작되어 변경할 수 없는 항목입니다.",
    "The sale has started; this cannot be changed any more.",
)
SALE_NOT_STARTED = Problem(
    "SALE_NOT_STARTED",
    409,
    "예매가 시작되지 않은 공연은 일정을 직접 수정할 수 있습니다.",
    "The sale has not started; edit the event's times instead.",
)
EVENT_HAS_RESERVATIONS = Problem(
    "EVENT_HAS_RESERVATIONS",
    409,
    "예매가 있는 공연은 삭제할 수 없습니다. 공연 취소를 이용해 주세요.",
    "An event with reservations cannot be deleted; cancel it instead.",
)
EVENT_CANCELLED = Problem("EVENT_CANCELLED", 409, "취소된 공연입니다.", "The event has been cancelled.")
EVENT_ENDED = Problem("EVENT_ENDED", 409, "종료된 공연입니다.", "The event is over.")
PRECONDITION_FAILED = Problem(
    "PRECONDITION_FAILED",
    412,
    "다른 사람이 먼저 수정했습니다. 새로 고침 후 다시 시도해 주세요.",
    "Somebody else has changed this since you read it.",
)
SEAT_LIST_TOO_LARGE = Problem(
    "SEAT_LIST_TOO_LARGE",
    406,
    "좌석이 너무 많아 한 번에 보여 줄 수 없습니다. /seats/layout과 /seats/status를 이용해 주세요.",
    "Too many seats for one answer; read /seats/layout and /seats/status instead.",
)

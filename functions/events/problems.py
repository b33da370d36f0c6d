"""What the events service refuses beside the kernel's own."""

from common.problem import Problem

SEAT_NOT_FOUND = Problem("SEAT_NOT_FOUND", 404, "해당 공연의 좌석이 아닙니다.", "The event has no such seat.")
SEAT_SOLD_TO_ANOTHER = Problem(
    "SEAT_SOLD_TO_ANOTHER", 409, "이미 판매된 좌석입니다.", "The seat is sold to another reservation."
)

"""What the events service refuses beside the kernel's own."""

from common.problem import Problem

SEAT_NOT_FOUND = Problem("SEAT_NOT_FOUND", 404, "해당 공연의 좌석이 아닙니다.", "The event has no such seat.")

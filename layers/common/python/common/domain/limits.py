"""Limits that several services hold."""

from typing import Literal

MAX_SEATS_PER_RESERVATION = 4  # RSV-005
MaxSeatsPer = Literal["PERSON", "RESERVATION"]  # what an event's `maxSeats` bounds

"""Limits that several services hold."""

MAX_SEATS_PER_RESERVATION = 4  # RSV-005

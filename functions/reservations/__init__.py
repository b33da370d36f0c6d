"""Seats held, reservations made, confirmed and cancelled."""

"""Venues, halls, events and their seats: what there is to buy, and what of it is sold."""

"""A model of seats, reservations and payments: the real services on real stores, under any fault.

Run by tests/model/test_model.py in CI and by `make model MINUTES=60`.
"""

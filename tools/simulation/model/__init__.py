"""A model of seats, reservations and payments: the real services over real stores, and everything that may befall them.

Run by tests/model/test_model.py in CI and by `make model MINUTES=60`.
"""

"""Clients of other services and of the payment gateway."""

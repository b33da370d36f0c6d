"""The models and rules of reservations."""

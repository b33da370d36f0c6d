"""Postgres, Redis and the other services, as the events service uses them."""

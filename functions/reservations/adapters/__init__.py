"""Postgres, Redis, tickets and other services."""

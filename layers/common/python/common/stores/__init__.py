"""Connections to Postgres, Redis and Secrets Manager."""

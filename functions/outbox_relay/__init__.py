"""Publishes the outbox from Postgres to Kafka, prunes it, redrives dead letters."""

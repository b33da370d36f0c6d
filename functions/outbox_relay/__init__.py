"""Publishes what committed: drains the Postgres outbox to Kafka."""

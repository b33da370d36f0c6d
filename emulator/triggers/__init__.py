"""Triggers other than HTTP: Kafka records and schedules. They call any Lambda Invoke endpoint."""

"""What calls functions from outside HTTP: Kafka's records and the clock. They drive any Lambda Invoke endpoint."""

"""The queue in Redis and in the log, and calls to other services."""

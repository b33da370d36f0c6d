"""What speaks to a service as its callers do."""

"""Clients that call a service as its real callers do."""

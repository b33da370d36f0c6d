"""Admission in Redis, calls to other services and to the function itself."""

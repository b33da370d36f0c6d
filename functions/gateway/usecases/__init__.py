"""The steps of each thing this service does; they own the transactions."""

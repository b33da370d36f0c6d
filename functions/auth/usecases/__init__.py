"""The steps of what a user or a schedule does with accounts and sessions; each owns its transaction."""

"""Accounts, sessions and login rules: the standard library and pydantic only."""

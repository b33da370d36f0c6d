"""Accounts, tokens, and the authorizer that stands before every other function."""

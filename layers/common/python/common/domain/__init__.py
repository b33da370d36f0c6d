"""Models, errors and ids that every service shares: standard library and pydantic only."""

"""Rules and models: standard library and pydantic only."""

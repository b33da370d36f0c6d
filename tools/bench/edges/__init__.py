"""The same endpoint written three ways: `POST /queue/enter` with a body to validate and a user to know."""

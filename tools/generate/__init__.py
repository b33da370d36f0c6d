"""Writes what follows from template.yaml and the handlers, and says what is still missing; `make generate` runs it."""

"""Writes the files derived from template.yaml and the handlers, and lists what is still missing; `make generate`."""

"""Responses that several handlers share."""

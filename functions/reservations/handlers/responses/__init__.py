"""Response models that several handlers share."""

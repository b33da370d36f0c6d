"""Where objects are built, once for each execution environment."""

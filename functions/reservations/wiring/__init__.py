"""Where the service's objects are built, once for each execution environment."""

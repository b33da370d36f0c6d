"""Objects that several services use, built at their first use and once for each execution environment."""

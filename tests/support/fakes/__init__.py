"""Stand-ins for what the code depends on."""

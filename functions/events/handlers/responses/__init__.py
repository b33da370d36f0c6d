"""What the API answers, built from the domain's objects."""

"""Plants known faults, one at a time, and counts how many the test suite notices (`docs/proof.md`)."""

"""The function that the schedule invokes."""

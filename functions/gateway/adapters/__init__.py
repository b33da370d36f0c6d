"""Code that speaks to something outside the process."""

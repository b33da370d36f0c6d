"""What developers and operators run: the demo, checks, measurements, and what makes generated files."""

"""Dead letters from the command line: `python -m tools.redrive --help`."""

"""Dead letters from the command line: `python -m redrive --help`."""

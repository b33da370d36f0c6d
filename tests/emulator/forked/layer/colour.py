import os

COLOUR = os.environ.get("COLOUR", "none")

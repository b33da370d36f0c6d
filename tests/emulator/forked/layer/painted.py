from colour import COLOUR

PAINTED = f"painted {COLOUR}"

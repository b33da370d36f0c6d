"""What two functions share. Each generator is made at the import."""

import random

NAME = "the layer"
GENERATOR = random.Random()
SEEDED = random.Random(7)

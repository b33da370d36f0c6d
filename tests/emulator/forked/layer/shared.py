"""What two functions share. Each generator is made at the import."""

import os
import random

NAME = "the layer"
LOADED_BY = os.getpid()
GENERATOR = random.Random()
SEEDED = random.Random(7)

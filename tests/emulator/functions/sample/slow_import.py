"""Takes longer to import than any limit."""

import time

time.sleep(600)

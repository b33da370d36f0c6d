import os

FILE = os.open("/dev/null", os.O_RDONLY)

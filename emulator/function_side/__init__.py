"""What runs in the functions' processes: standard library only, since the package `emulator` is not on their path.

The files are loaded by their names (`load.py`), so that `sys.modules` holds what it would hold on Lambda.
"""

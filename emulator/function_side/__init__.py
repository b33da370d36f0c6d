"""Code that runs in the functions' processes: standard library only, since `emulator` is not on their path.

The files are loaded by file name (`load.py`), so that `sys.modules` contains what it contains on Lambda.
"""

"""`python warm_start.py MODULE ARGUMENTS…`: `python -m MODULE ARGUMENTS…`, in two halves.

The first half imports what the module imports, at once; the second, at a byte on standard input, runs it. So a step's
imports, which are most of its time, happen while the services that it needs still start. Standard library only.
"""

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # noqa: PTH109 - as `python -m` has it, rather than the emulator's own folder
    import contextlib
    import gc
    import importlib
    import runpy

    module = sys.argv[1]
    gc.disable()
    with contextlib.suppress(Exception):  # whatever is wrong is told by the second half
        importlib.import_module(f"{module}.__main__")
    gc.freeze()  # modules are no garbage: not while they are imported, and not at the end, a quarter of a second of it
    gc.enable()
    if os.read(0, 1):
        del sys.argv[1]
        runpy.run_module(module, run_name="__main__", alter_sys=True)

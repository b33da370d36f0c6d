"""`python warm_start.py MODULE ARGUMENTS…`: `python -m MODULE ARGUMENTS…`, in two parts.

First it imports what the module imports; then, on a byte on standard input, it runs the module. So a step's imports,
which are most of its time, run while the services that it needs start. Standard library only.
"""

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # noqa: PTH109 - as with `python -m`, rather than the emulator's own folder
    import contextlib
    import gc
    import importlib
    import runpy

    module = sys.argv[1]
    gc.disable()
    with contextlib.suppress(Exception):  # the second part reports any error
        importlib.import_module(f"{module}.__main__")
    gc.freeze()  # modules are never garbage: collecting them would take a quarter of a second
    gc.enable()
    if os.read(0, 1):
        del sys.argv[1]
        runpy.run_module(module, run_name="__main__", alter_sys=True)

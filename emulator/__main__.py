"""`python -m emulator …`: the command line, or with `serve` the daemon that `up` starts."""

import sys
from pathlib import Path

from emulator.signals import reset_signal_handling

reset_signal_handling()  # before anything that takes time

if len(sys.argv) == 3 and sys.argv[1] == "serve":
    # Before the command line is imported: the daemon does not use its libraries.
    from emulator.daemon import main as serve
    from emulator.options import Options

    sys.exit(serve(Options.from_json(sys.argv[2])))

if sys.dont_write_bytecode:
    # As for child processes (`python_environment`): the checkout stays clean, and a command starts in half the time.
    arguments = dict(zip(sys.argv, sys.argv[1:], strict=False))
    kept = Path(arguments.get("--state", ".local"), "bytecode").absolute()
    if kept.is_dir():
        sys.pycache_prefix, sys.dont_write_bytecode = str(kept), False

try:
    from emulator.cli import main  # its libraries take half a second
except KeyboardInterrupt:
    sys.exit(130)

sys.exit(main())

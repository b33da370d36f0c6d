"""`python -m emulator …`: the command line, or with `serve` the daemon that `up` starts."""

import sys
from pathlib import Path

from emulator.signals import hear_signals

hear_signals()  # before anything that takes time

if len(sys.argv) == 3 and sys.argv[1] == "serve":
    # Apart from the command line, whose libraries the daemon has no use for.
    from emulator.daemon import main as serve
    from emulator.options import Options

    sys.exit(serve(Options.from_json(sys.argv[2])))

if sys.dont_write_bytecode:
    # As for our children (`python_environment`): the checkout stays clean, and a command does not take twice as long.
    words = dict(zip(sys.argv, sys.argv[1:], strict=False))
    kept = Path(words.get("--state", ".local"), "bytecode").absolute()
    if kept.is_dir():
        sys.pycache_prefix, sys.dont_write_bytecode = str(kept), False

try:
    from emulator.cli import main  # its libraries take half a second
except KeyboardInterrupt:
    sys.exit(130)

sys.exit(main())

"""`python -m emulator …`: the command line, or with `serve` the daemon that `up` starts."""

import sys

if len(sys.argv) == 3 and sys.argv[1] == "serve":
    # Apart from the command line, whose libraries the daemon has no use for.
    from emulator.daemon import main as serve
    from emulator.options import Options

    sys.exit(serve(Options.from_json(sys.argv[2])))

from emulator.cli import main

sys.exit(main())

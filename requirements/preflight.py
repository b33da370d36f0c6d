"""What has to be so before .venv can be made, asked of the Python that is to make it; one line for what is not."""

import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

_ROOM = 800  # MB: .venv takes 600, a stack 100


def obstacle() -> str | None:
    """What stands in the way, and what to do; None where nothing does."""
    if "musl" in (sysconfig.get_config_var("EXT_SUFFIX") or ""):
        return (
            "PyPI has no Postgres, Redis and Kafka for musl, Alpine's C library: use a system with glibc, as Debian is"
        )
    if find_spec("ensurepip") is None:  # Debian and Ubuntu have it in a package of its own
        return f"{sys.executable} makes no venv with pip: `apt install python3-venv`, or name another with PYTHON="
    free = shutil.disk_usage(Path()).free >> 20
    if free < _ROOM:
        return f"{Path.cwd()}: its disk has {free} MB left and this needs {_ROOM}: make room, or clone elsewhere"
    return None


if __name__ == "__main__":
    sys.exit(obstacle())

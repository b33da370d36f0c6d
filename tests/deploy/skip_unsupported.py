"""Skips what the emulator under test does not support, with the reason. A pytest plugin:
`-p tests.deploy.skip_unsupported`.

UNSUPPORTED names a file of tests/deploy: reason → tests. A name that matches no test ends the run, so that the list
stays correct.
"""

import os
import tomllib
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    path = Path(__file__).with_name(os.environ["UNSUPPORTED"])
    groups = tomllib.loads(path.read_text(encoding="utf-8"))
    unused = {name for names in groups.values() for name in names}
    collected = {item.path.name for item in items}
    for item in items:
        for reason, names in groups.items():
            for name in names:
                # The whole test, or one of its cases.
                if f"{item.path.name}::{item.name}".startswith(name):
                    unused.discard(name)
                    item.add_marker(pytest.mark.skip(reason=reason))
    if stale := sorted(name for name in unused if name.partition("::")[0] in collected):
        raise pytest.UsageError(f"{path.name} names tests that do not exist: {', '.join(stale)}")

"""Which tests one worker of pytest-xdist runs: those of a file, of a whole stack, or of one emulator.

pytest-xdist 3.8's own marks for this (`--dist loadgroup`) have no effect with pytest 9.2, which changed how a test
keeps its id. A scheduler sees only the id, so the file decides.
"""

from pathlib import PurePath
from typing import Any

OPEN_STACK, STACK = "open stack", "stack"
STACKS = (OPEN_STACK, STACK)  # the longer first
UNDER_ATTACK = ("test_attack", "test_hostile_requests")  # files of tests/e2e whose stack has no rate limits


def group_of(nodeid: str) -> str:
    path = PurePath(nodeid.partition("::")[0])
    if path.parts[:2] == ("tests", "conformance"):
        return f"{path.parent}{nodeid.partition('[')[2]}"  # by emulator
    if path.parts[:2] != ("tests", "e2e"):
        return str(path)
    return OPEN_STACK if path.stem in UNDER_ATTACK else STACK


def new_scheduler(config: Any, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # in the order of collection: stacks last
    return Groups(config, log)

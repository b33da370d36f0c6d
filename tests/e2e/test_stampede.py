"""A crowd on a few seats; `make stampede` sends ten times as many."""

from pathlib import Path
from typing import Any

import pytest

from tests.stampede import stampede

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(600)
def test_a_crowd_buys_every_seat_once_and_everybody_else_is_told(stack: dict[str, Any], state_folder: Path) -> None:
    crowd = stampede({**stack, "state": state_folder}, buyers=60, seats=12, seconds=200)
    assert crowd.sound, crowd.report()

"""Whatever the run was refused with, its handler had declared: what the document does not tell is found here."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.undeclared_errors import undeclared_errors

pytestmark = [pytest.mark.e2e, pytest.mark.last_of_all]


def test_nothing_was_refused_that_no_handler_declared(state_folder: Path, stack: dict[str, Any]) -> None:
    assert undeclared_errors(state_folder) == []

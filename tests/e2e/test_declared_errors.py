"""Every error of the run was declared by its handler, so that the OpenAPI document has it."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.undeclared_errors import undeclared_errors

pytestmark = [pytest.mark.e2e, pytest.mark.last_of_all]


def test_the_run_caused_no_undeclared_error(state_folder: Path, stack: dict[str, Any]) -> None:
    assert undeclared_errors(state_folder) == []

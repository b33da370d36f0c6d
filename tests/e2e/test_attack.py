"""schemathesis over the whole document, by role: no 5xx, nothing undocumented, nothing accepted that is not allowed.

A small budget, a new seed each time; `make attack` takes any (`ARGS="--seed 7 --examples 50"`).
"""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.undeclared_errors import undeclared_errors
from tools.attack.run import ROLES, Role, attack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.mark.parametrize("role", ROLES)
def test_the_api_conforms_to_its_document_for_any_input(open_stack: dict[str, Any], role: Role) -> None:
    seed = random.SystemRandom().randrange(2**32)
    made = attack(
        open_stack["api"],
        open_stack["sandbox"],
        role,
        seed=seed,
        examples=2,
        phases=["examples", "coverage", "fuzzing", "stateful"],
    )
    print(f"{role}: {made.calls} calls in {made.seconds:.0f} s, seed {seed}")
    assert made.calls > 500
    assert made.failures == 0, f"seed {seed}\n{made.output}"


@pytest.mark.last_of_all
def test_the_attack_caused_no_undeclared_error(open_stack: dict[str, Any]) -> None:
    assert undeclared_errors(Path(open_stack["state"])) == []

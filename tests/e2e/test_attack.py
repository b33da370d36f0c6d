"""schemathesis over the whole document, by role: no 5xx, nothing undocumented, nothing accepted that is not allowed."""

import random
from typing import Any

import pytest

from attack.run import ROLES, Role, attack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.mark.parametrize("role", ROLES)
def test_the_api_does_what_its_document_says_at_every_bound(open_stack: dict[str, Any], role: Role) -> None:
    made = attack(
        open_stack["api"],
        open_stack["sandbox"],
        role,
        seed=20261122,
        examples=1,
        phases=["examples", "coverage"],
    )
    print(f"{role}: {made.calls} calls in {made.seconds:.0f} s")
    assert made.calls > 500
    assert made.failures == 0, made.told


@pytest.mark.parametrize("role", ROLES)
def test_the_api_does_what_its_document_says_whatever_is_sent(open_stack: dict[str, Any], role: Role) -> None:
    seed = random.SystemRandom().randrange(2**32)
    made = attack(
        open_stack["api"],
        open_stack["sandbox"],
        role,
        seed=seed,
        examples=4,
        phases=["fuzzing", "stateful"],
    )
    print(f"{role}: {made.calls} calls in {made.seconds:.0f} s, seed {seed}")
    assert made.calls > 100
    assert made.failures == 0, f"seed {seed}\n{made.told}"

"""Our emulator, asked for everything in the conformance suite that does not take minutes.

`make conformance` asks for the rest, and asks the other emulators too.
"""

from collections.abc import Iterator

import pytest

from conformance.behaviour import Behaviour
from conformance.behaviours import CATALOGUE
from conformance.emulators.ours import Ours
from conformance.ground import prepare
from conformance.stand import Stand
from conformance.suite import Outcome, ask

QUICK = [one for one in CATALOGUE if not one.slow]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Our emulator on the suite's template."""
    emulator = Ours()
    with prepare(tmp_path_factory.mktemp("conformance")) as ground:
        try:
            yield emulator.start(ground)
        finally:
            emulator.stop()


@pytest.mark.parametrize("behaviour", QUICK, ids=lambda one: one.name)
def test_our_emulator_answers_as_aws_documents(stand: Stand, behaviour: Behaviour) -> None:
    assert ask(stand, [behaviour]) == {behaviour.name: Outcome("as AWS")}, behaviour.statement

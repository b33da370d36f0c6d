"""Our emulator, asked for all of the conformance suite that does not take minutes, in each way it starts functions.

`make conformance` asks for the rest, and asks the other emulators too.
"""

from collections.abc import Iterator

import pytest

from tools.conformance.behaviour import Behaviour
from tools.conformance.behaviours import CATALOGUE
from tools.conformance.emulators.ours import Ours
from tools.conformance.ground import prepare
from tools.conformance.stand import Stand
from tools.conformance.suite import Outcome, ask

QUICK = [one for one in CATALOGUE if not one.slow]


WAYS = {"forked": {}, "fresh": {"fork": False}, "http": {"http": True}}


@pytest.fixture(scope="module", params=WAYS)
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Our emulator on the suite's template."""
    emulator = Ours(**WAYS[request.param])
    with prepare(tmp_path_factory.mktemp("conformance")) as ground:
        try:
            yield emulator.start(ground)
        finally:
            emulator.stop()


@pytest.mark.parametrize("behaviour", QUICK, ids=lambda one: one.name)
def test_our_emulator_answers_as_aws_documents(stand: Stand, behaviour: Behaviour) -> None:
    assert ask(stand, [behaviour]) == {behaviour.name: Outcome("as AWS")}, behaviour.statement

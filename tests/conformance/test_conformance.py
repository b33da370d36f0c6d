"""Our emulator, asked for all of the conformance suite that does not take minutes, in each way it starts functions.

`make conformance` asks for the rest, and asks the other emulators too.
"""

from collections.abc import Iterator

import pytest

from tools.conformance.behaviour import Behaviour
from tools.conformance.behaviours import CATALOGUE
from tools.conformance.emulator_client import EmulatorClient
from tools.conformance.emulators.ours import Ours
from tools.conformance.run_setup import prepare
from tools.conformance.suite import Outcome, ask

QUICK = [one for one in CATALOGUE if not one.slow]


WAYS = {"forked": {}, "fresh": {"fork": False}, "http": {"http": True}}


@pytest.fixture(scope="module", params=WAYS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorClient]:
    """Our emulator on the suite's template."""
    emulator = Ours(**WAYS[request.param])
    with prepare(tmp_path_factory.mktemp("conformance")) as setup:
        try:
            yield emulator.start(setup)
        finally:
            emulator.stop()


@pytest.mark.parametrize("behaviour", QUICK, ids=lambda one: one.name)
def test_our_emulator_answers_as_aws_documents(client: EmulatorClient, behaviour: Behaviour) -> None:
    assert ask(client, [behaviour]) == {behaviour.name: Outcome("as AWS")}, behaviour.statement

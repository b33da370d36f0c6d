"""`sam local`: every function in its container, and the purchase through `start-api` (`make test-sam-local`)."""

import os
import subprocess
import sys

import pytest

from tests.deploy.conftest import timed
from tests.deploy.outside_services import ROOT
from tests.deploy.sam_local import SamLocal
from tests.deploy.samples import invoke_all, samples

pytestmark = [
    pytest.mark.skipif(os.environ.get("DEPLOY") != "sam-local", reason="Docker is driven by `make test-sam-local`"),
    pytest.mark.timeout(1800),
]


def test_every_sample_event_is_answered_by_its_function_in_a_container(sam_local: SamLocal) -> None:
    """`sam local invoke`, for every file of events/: no error, and nothing above 499."""

    every = samples()
    with timed(f"sam local invoke of {len(every)} samples"):
        outcomes = invoke_all(every, sam_local.invoke, at_once=4)
    assert set(outcomes) == {path.name for path in (ROOT / "events").glob("*.json")}


def test_a_ticket_is_bought_through_start_api(sam_local: SamLocal) -> None:
    sam_local.start_api()
    command = [sys.executable, "-m", "pytest", "tests/e2e/test_purchase.py", "-p", "no:cacheprovider", "-q"]
    variables = {**os.environ, "E2E_STACK": str(sam_local.description)}
    with timed("the e2e purchase"):
        done = subprocess.run([*command, "--timeout", "300"], cwd=ROOT, env=variables, timeout=900, check=False)
    assert done.returncode == 0

"""`sam local`: every function in its container, and the purchase through `start-api` (`make test-sam-local`)."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deploy.conftest import timed
from tests.deploy.sam_local import SamLocal
from tests.deploy.samples import Sample, samples, told
from tests.deploy.surroundings import ROOT

pytestmark = [
    pytest.mark.skipif(os.environ.get("DEPLOY") != "sam-local", reason="Docker is driven by `make test-sam-local`"),
    pytest.mark.timeout(1800),
]


def test_every_sample_event_is_answered_by_its_function_in_a_container(sam_local: SamLocal) -> None:
    """`sam local invoke`, for every file of events/: no error, and nothing above 499."""

    def ask(sample: Sample) -> str:
        return told(lambda: sam_local.invoke(sample))

    asked = samples()
    with timed(f"sam local invoke of {len(asked)} samples"), ThreadPoolExecutor(4) as pool:
        answers = dict(zip((sample.path.name for sample in asked), pool.map(ask, asked), strict=True))
    print("\n".join(f"          {name:<40} {answer}" for name, answer in answers.items()))
    assert set(answers) == {path.name for path in (ROOT / "events").glob("*.json")}


def test_a_ticket_is_bought_through_start_api(sam_local: SamLocal) -> None:
    sam_local.start_api()
    command = [sys.executable, "-m", "pytest", "tests/e2e/test_purchase.py", "-p", "no:cacheprovider", "-q"]
    variables = {**os.environ, "E2E_STACK": str(sam_local.description)}
    with timed("the e2e purchase"):
        done = subprocess.run([*command, "--timeout", "300"], cwd=ROOT, env=variables, timeout=900, check=False)
    assert done.returncode == 0

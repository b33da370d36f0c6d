"""`sam deploy` for real, onto MiniStack: functions, gateway, update and rollback of the stack (`make test-deploy`)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.conftest import timed
from tests.deploy.ministack import MiniStack
from tests.deploy.outside_services import ROOT
from tests.deploy.samples import LONG, Sample, invoke_all, samples

pytestmark = [
    pytest.mark.skipif(os.environ.get("DEPLOY") != "ministack", reason="a stack is deployed by `make test-deploy`"),
    pytest.mark.timeout(900),
]


def test_every_function_is_deployed_and_answers_its_sample_event(deployed: MiniStack) -> None:
    """All start: code and layer are where Lambda looks for them, and the template gives each its environment."""
    client, names = deployed.client("lambda"), deployed.functions()

    def invoke(sample: Sample) -> object:
        payload = json.dumps(sample.event())
        return json.loads(client.invoke(FunctionName=names[sample.function], Payload=payload)["Payload"].read())

    # The triggers have called the others already.
    invoked = [sample for sample in samples() if sample.function not in LONG]
    with timed(f"{len(invoked)} functions start and answer their samples"):
        invoke_all(invoked, invoke, at_once=2)
    assert set(names) == {sample.function for sample in samples()}


def test_the_e2e_suite_passes_through_the_deployed_gateway(deployed: MiniStack) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/e2e",
        "-p",
        "tests.deploy.skip_unsupported",
        "-p",
        "no:cacheprovider",
        "-q",
    ]
    command += ["--no-fold-skipped"]  # each by its name
    # They attack a stack of their own, never the one E2E_STACK names.
    command += ["--ignore", "tests/e2e/test_attack.py", "--ignore", "tests/e2e/test_hostile_requests.py"]
    variables = {**os.environ, "E2E_STACK": str(deployed.description), "UNSUPPORTED": "ministack_unsupported.toml"}
    with timed("e2e suite"):
        done = subprocess.run([*command, "--timeout", "300"], cwd=ROOT, env=variables, timeout=800, check=False)
    assert done.returncode == 0


@contextmanager
def next_version(built: Path, title: str, **resources: object) -> Iterator[Path]:
    """The built template with more resources, and new code of one function, whose document has this title."""
    code, path = built.with_name("OpenApiNext"), built.with_name("next.yaml")
    template = yaml.safe_load(built.read_text(encoding="utf-8"))
    template["Resources"]["OpenApiFunction"]["Properties"]["CodeUri"] = code.name
    template["Resources"] |= resources
    try:
        shutil.copytree(built.with_name("OpenApiFunction"), code)
        document = code / "functions" / "gateway" / "openapi.json"
        content = json.loads(document.read_text(encoding="utf-8"))
        content["info"]["title"] = title
        document.write_text(json.dumps(content), encoding="utf-8")
        path.write_text(yaml.safe_dump(template), encoding="utf-8")
        yield path
    finally:
        shutil.rmtree(code, ignore_errors=True)
        path.unlink(missing_ok=True)


def title_served(stack: MiniStack) -> str:
    answer = httpx.get(f"{stack.api_url()}/openapi.json", timeout=30).raise_for_status()
    return str(answer.json()["info"]["title"])


def token_seconds(stack: MiniStack) -> int:
    """The lifetime of an access token that is issued now."""
    credentials = {"email": "demo@example.com", "password": "local-demo-1234", "captchaToken": "sandbox-human"}
    answer = httpx.post(f"{stack.api_url()}/auth/login", json=credentials, timeout=30).raise_for_status()
    return int(answer.json()["expiresIn"])


def test_an_update_brings_new_code_and_new_settings(deployed: MiniStack, built: Path) -> None:
    assert (title_served(deployed), token_seconds(deployed)) == ("Ticketing", 3600)
    with next_version(built, "Ticketing, next") as template, timed("sam deploy of an update: one code, one parameter"):
        deployed.deploy(template, AccessTokenSeconds="1800")
    assert deployed.status() == "UPDATE_COMPLETE"
    assert (title_served(deployed), token_seconds(deployed)) == ("Ticketing, next", 1800)


def test_an_update_that_fails_leaves_the_old_version_serving(deployed: MiniStack, built: Path) -> None:
    before = title_served(deployed), token_seconds(deployed)
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "OpenApiFunction"}}}
    # Lambda creates no two versions of the same code. The update fails after both functions were updated.
    failing = {"Version": version, "SameVersion": {**version, "DependsOn": ["Version", "AuthLoginFunction"]}}
    with (
        next_version(built, "Ticketing, never served", **failing) as template,
        timed("sam deploy of an update that fails, and its rollback"),
    ):
        output = deployed.deploy(template, must_succeed=False, AccessTokenSeconds="60")
    assert "SameVersion" in output
    assert deployed.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert (title_served(deployed), token_seconds(deployed)) == before

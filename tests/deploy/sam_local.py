"""AWS SAM CLI's own emulator, with each function in a Docker container."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from emulator.intrinsics import Resolver
from emulator.ports import HOST, free_port
from emulator.processes import Child
from emulator.template import parameter_values
from infra.deploy import pairs
from tests.deploy.outside_services import (
    ARCHITECTURE,
    BUILT,
    KEYS,
    REGION,
    ROOT,
    SAM,
    CannotStart,
    Children,
    OutsideServices,
)
from tests.deploy.samples import FunctionFailed, Sample, samples
from tools.conformance.run_setup import DOCKER, answers, find_bridge

IMAGE = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"
IMAGE_BUILD = ROOT.parent / "shared" / "lambda-image" / "build"  # a stand-in, where AWS's own cannot be pulled
LAYERED = "local/lambda-with-layers:latest"
INIT_SECONDS = 10
NOTHING = {"Ref": "AWS::NoValue"}
VARIABLES = {**KEYS, "SAM_CLI_TELEMETRY": "0"}


@contextmanager
def docker(children: Children) -> Iterator[str]:
    """A Docker engine with Lambda's image; if none answers, one is started, and stopped at the end.

    Yields this machine's address as its containers see it. Raises CannotStart.
    """
    engine = _start_engine(children) if find_bridge() is None else None
    before = _containers()
    try:
        ways = ([DOCKER, "image", "inspect", IMAGE], [str(IMAGE_BUILD)], [DOCKER, "pull", "--quiet", IMAGE])
        if not any(_succeeds(*way) for way in ways):
            raise CannotStart(f"the image {IMAGE} does not exist here, and can neither be built nor pulled")
        # A run that was killed leaves SAM's image of the layers as they were then, and SAM would use it again.
        _remove("rmi", _images())
        _add_layers()
        bridge = find_bridge()
        assert bridge
        yield bridge
    finally:
        # SAM forgets containers that it has replaced, and leaves them running.
        _remove("rm", _containers() - before)
        _remove("rmi", _images())
        if engine:
            engine.stop(30)


def _start_engine(children: Children) -> Child:
    dockerd = shutil.which("dockerd")
    if not dockerd or os.geteuid():
        raise CannotStart("no Docker engine answers, and only root could start one")
    engine = children.start("dockerd", [dockerd])
    deadline = time.monotonic() + 60
    while find_bridge() is None:
        if engine.exit_code is not None or time.monotonic() > deadline:
            raise CannotStart(f"no Docker engine answers, and none starts: {engine.last_lines(1)}")
        time.sleep(0.2)
    return engine


def _add_layers() -> None:
    """Lambda's image with the layers in /opt. SAM would build it again for each call, one after the other."""
    made = _docker("create", IMAGE, "x").strip()
    for layer in ("CommonLayer", "DocsLayer"):
        _docker("cp", "--quiet", f"{BUILT / layer}/.", f"{made}:/opt")
    _docker("commit", made, LAYERED)
    _docker("rm", made)


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=1200).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _remove(command: str, ids: set[str]) -> None:
    if ids:
        _succeeds(DOCKER, command, "--force", *ids)


def _containers() -> set[str]:
    return _listed("ps", "--all", "--filter", "label=sam.cli.container.type=lambda")


def _images() -> set[str]:
    return _listed("images", LAYERED.partition(":")[0])


def _listed(*what: str) -> set[str]:
    return set(_docker(*what, "--quiet").split())


def _docker(*words: str) -> str:
    return subprocess.run([DOCKER, *words], capture_output=True, text=True, check=True, timeout=300).stdout


class SamLocal:
    """`sam local` on the built template, with its outside services."""

    def __init__(self, outside: OutsideServices, lambda_port: int) -> None:
        self._outside = outside
        self.description = outside.folder / "stack.json"
        self.lambda_url = f"http://{HOST}:{lambda_port}"
        self._lambda_port = lambda_port
        self._parameters = pairs(outside.parameters(Architecture=ARCHITECTURE))
        self._api_port = free_port()
        self._template = self._adapted()

    def _adapted(self) -> Path:
        """A copy of the built template, beside it, adapted to SAM.

        Variables name the endpoints of AWS's APIs: SAM sets only variables that the template names. `Fn::If` is
        resolved: SAM evaluates both branches, even one whose resources exist only on AWS. An alias is replaced by its
        function: SAM would serve its routes without their authorizer. Timeouts are ten seconds longer: SAM counts the
        start, for which Lambda gives another ten seconds. The layers are in the image.
        """
        template = yaml.safe_load((BUILT / "template.yaml").read_text(encoding="utf-8"))
        values = self._outside.values
        variables = template["Globals"]["Function"]["Environment"]["Variables"]
        variables["AWS_ENDPOINT_URL"] = values["aws.url"]
        variables["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{values['aws.host']}:{self._lambda_port}"
        given = parameter_values(BUILT, template["Parameters"], self._parameters)
        conditions = Resolver(template, given, account="0" * 12, region=REGION, stack_name="local")
        for section in ("Globals", "Resources", "Outputs"):
            template[section] = _resolved(template[section], conditions)
        for part in (template["Globals"]["Function"], *(one["Properties"] for one in template["Resources"].values())):
            part.pop("Layers", None)
            if "Timeout" in part:
                part["Timeout"] += INIT_SECONDS
        path = BUILT / "local.json"  # SAM reads it a second faster than YAML at each start
        path.write_text(json.dumps(template, default=str), encoding="utf-8")
        return path

    def _command(self, *words: str) -> Sequence[str]:
        command = [str(SAM), "local", *words, "--template-file", str(self._template), "--skip-pull-image"]
        command += ["--invoke-image", LAYERED]
        command += ["--region", REGION, "--parameter-overrides"]
        return [*command, *(f"{name}={value}" for name, value in self._parameters.items())]

    def invoke(self, sample: Sample) -> Any:
        """What `sam local invoke` prints on its standard output, as JSON. Raises FunctionFailed."""
        command = self._command("invoke", sample.function, "--event", str(sample.path))
        variables = {**os.environ, **VARIABLES}
        done = subprocess.run(
            command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
        )
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        if done.returncode or not lines:
            raise FunctionFailed(f"{sample.function}: {(done.stdout + done.stderr)[-1500:]}")
        try:
            return json.loads(lines[-1])
        except ValueError:
            raise FunctionFailed(f"{sample.function}: {done.stdout[-1500:]}") from None

    def start_lambda(self) -> None:
        """Starts the sandbox and `start-lambda`, through which functions call each other; warms the called ones."""
        self._outside.start_sandbox(f"http://{HOST}:{self._api_port}/payments/webhook")
        self._start("start-lambda", self._lambda_port)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._call, [sample for sample in samples() if sample.is_internal_call]))

    def start_api(self) -> str:
        """Starts `start-api` and our triggers; returns its URL."""
        self._start("start-api", self._api_port)
        url = f"http://{HOST}:{self._api_port}"
        values = self._outside.values
        command = [sys.executable, "-m", "emulator", "triggers", "--lambda-url", self.lambda_url]
        command += ["--aws", values["aws.url"], "--kafka", values["kafka.bootstrap"]]
        self._outside.children.start("triggers", command, KEYS)
        urls = {"api": url, "sandbox": f"http://{HOST}:{values['sandbox.port']}", "lambda": self.lambda_url}
        self.description.write_text(json.dumps(urls), encoding="utf-8")
        return url

    def _call(self, sample: Sample) -> None:
        url = f"{self.lambda_url}/2015-03-31/functions/{sample.function}/invocations"
        httpx.post(url, json=sample.event(), timeout=120).raise_for_status()

    def _start(self, what: str, port: int) -> None:
        """Returns when it answers requests."""
        command = self._command(what, "--port", str(port), "--warm-containers", "LAZY")
        child = self._outside.children.start(what, command, VARIABLES)
        deadline = time.monotonic() + 120
        while not answers(f"http://{HOST}:{port}/"):
            if child.exit_code is not None or time.monotonic() > deadline:
                raise CannotStart(f"sam local {what} does not start:\n{child.last_lines()}")
            time.sleep(0.2)


def _resolved(node: Any, conditions: Resolver) -> Any:
    """`node` with every `Fn::If` resolved, without AWS::NoValue and what has a false condition."""
    if isinstance(node, dict):
        if node.keys() == {"Ref"} and node["Ref"].endswith(".Alias"):
            return {"Fn::GetAtt": [node["Ref"].removesuffix(".Alias"), "Arn"]}
        if node.keys() == {"Fn::If"}:
            name, yes, no = node["Fn::If"]
            return _resolved(yes if conditions.condition(name) else no, conditions)
        if isinstance(node.get("Condition"), str) and not conditions.condition(node["Condition"]):
            return NOTHING
        node = {key: _resolved(value, conditions) for key, value in node.items()}
        return {key: value for key, value in node.items() if value != NOTHING}
    if isinstance(node, list):
        return [value for value in (_resolved(each, conditions) for each in node) if value != NOTHING]
    return node

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
from tests.deploy.samples import Broken, Sample, samples
from tools.conformance.run_setup import DOCKER, answers, find_bridge

IMAGE = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"
IMAGE_BUILD = ROOT.parent / "shared" / "lambda-image" / "build"  # a stand-in, where AWS's own cannot be pulled
LAYERED = "local/lambda-with-layers:latest"
INIT_SECONDS = 10
NOTHING = {"Ref": "AWS::NoValue"}
VARIABLES = {**KEYS, "SAM_CLI_TELEMETRY": "0"}


@contextmanager
def docker(children: Children) -> Iterator[str]:
    """An engine with Lambda's image, started if none answers and then ended too.

    Gives this machine's address as its containers see it. Raises CannotStart.
    """
    engine = _engine(children) if find_bridge() is None else None
    before = _containers()
    try:
        ways = ([DOCKER, "image", "inspect", IMAGE], [str(IMAGE_BUILD)], [DOCKER, "pull", "--quiet", IMAGE])
        if not any(_succeeds(*way) for way in ways):
            raise CannotStart(f"the image {IMAGE} is not here, and can neither be made nor pulled")
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


def _engine(children: Children) -> Child:
    dockerd = shutil.which("dockerd")
    if not dockerd or os.geteuid():
        raise CannotStart("no Docker engine answers, and only root could start one")
    engine = children.start("dockerd", [dockerd])
    deadline = time.monotonic() + 60
    while find_bridge() is None:
        if engine.exit_code is not None or time.monotonic() > deadline:
            raise CannotStart(f"no Docker engine answers, nor does one start: {engine.last_lines(1)}")
        time.sleep(0.2)
    return engine


def _add_layers() -> None:
    """Lambda's image with the layers in /opt. SAM would make it anew for each call, one after the other."""
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
    """`sam local` on what was built, among its surroundings."""

    def __init__(self, around: OutsideServices, lambda_port: int) -> None:
        self._around = around
        self.description = around.folder / "stack.json"
        self.lambda_url = f"http://{HOST}:{lambda_port}"
        self._lambda_port = lambda_port
        self._parameters = pairs(around.parameters(Architecture=ARCHITECTURE))
        self._api_port = free_port()
        self._template = self._adapted()

    def _adapted(self) -> Path:
        """A copy of the built template, beside it, with what SAM does not do by itself.

        Functions are told where AWS's APIs are: SAM sets only variables that the template names. `Fn::If` is decided:
        SAM works out both branches, also the one that names what is only made on AWS. A function's alias is the
        function: SAM would leave its routes without their authorizer. A function has ten seconds more: SAM counts its
        start, for which Lambda gives it ten seconds of their own. The layers are in the image.
        """
        template = yaml.safe_load((BUILT / "template.yaml").read_text(encoding="utf-8"))
        values = self._around.values
        variables = template["Globals"]["Function"]["Environment"]["Variables"]
        variables["AWS_ENDPOINT_URL"] = values["aws.url"]
        variables["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{values['aws.host']}:{self._lambda_port}"
        given = parameter_values(BUILT, template["Parameters"], self._parameters)
        conditions = Resolver(template, given, account="0" * 12, region=REGION, stack_name="local")
        for section in ("Globals", "Resources", "Outputs"):
            template[section] = _decided(template[section], conditions)
        for part in (template["Globals"]["Function"], *(one["Properties"] for one in template["Resources"].values())):
            part.pop("Layers", None)
            if "Timeout" in part:
                part["Timeout"] += INIT_SECONDS
        path = BUILT / "local.json"  # which SAM, at each of its starts, reads a second faster than YAML
        path.write_text(json.dumps(template, default=str), encoding="utf-8")
        return path

    def _command(self, *words: str) -> Sequence[str]:
        command = [str(SAM), "local", *words, "--template-file", str(self._template), "--skip-pull-image"]
        command += ["--invoke-image", LAYERED]
        command += ["--region", REGION, "--parameter-overrides"]
        return [*command, *(f"{name}={value}" for name, value in self._parameters.items())]

    def invoke(self, sample: Sample) -> Any:
        """What `sam local invoke` prints on its standard output, as JSON. Raises Broken where it fails."""
        command = self._command("invoke", sample.function, "--event", str(sample.path))
        variables = {**os.environ, **VARIABLES}
        done = subprocess.run(
            command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
        )
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        if done.returncode or not lines:
            raise Broken(f"{sample.function}: {(done.stdout + done.stderr)[-1500:]}")
        try:
            return json.loads(lines[-1])
        except ValueError:
            raise Broken(f"{sample.function}: {done.stdout[-1500:]}") from None

    def start_lambda(self) -> None:
        """`start-lambda`, which functions call each other through, and the world; those that are called are warm."""
        self._around.start_sandbox(f"http://{HOST}:{self._api_port}/payments/webhook")
        self._start("start-lambda", self._lambda_port)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._call, [sample for sample in samples() if sample.is_of_another_service]))

    def start_api(self) -> str:
        """`start-api` with our triggers; returns its URL."""
        self._start("start-api", self._api_port)
        url = f"http://{HOST}:{self._api_port}"
        values = self._around.values
        command = [sys.executable, "-m", "emulator", "triggers", "--lambda-url", self.lambda_url]
        command += ["--aws", values["aws.url"], "--kafka", values["kafka.bootstrap"]]
        self._around.children.start("triggers", command, KEYS)
        urls = {"api": url, "sandbox": f"http://{HOST}:{values['sandbox.port']}", "lambda": self.lambda_url}
        self.description.write_text(json.dumps(urls), encoding="utf-8")
        return url

    def _call(self, sample: Sample) -> None:
        url = f"{self.lambda_url}/2015-03-31/functions/{sample.function}/invocations"
        httpx.post(url, json=sample.event(), timeout=120).raise_for_status()

    def _start(self, what: str, port: int) -> None:
        """Returns when it answers."""
        command = self._command(what, "--port", str(port), "--warm-containers", "LAZY")
        child = self._around.children.start(what, command, VARIABLES)
        deadline = time.monotonic() + 120
        while not answers(f"http://{HOST}:{port}/"):
            if child.exit_code is not None or time.monotonic() > deadline:
                raise CannotStart(f"sam local {what} does not start:\n{child.last_lines()}")
            time.sleep(0.2)


def _decided(node: Any, conditions: Resolver) -> Any:
    """`node` with the right branch for each `Fn::If`, without what is AWS::NoValue or not made."""
    if isinstance(node, dict):
        if node.keys() == {"Ref"} and node["Ref"].endswith(".Alias"):
            return {"Fn::GetAtt": [node["Ref"].removesuffix(".Alias"), "Arn"]}
        if node.keys() == {"Fn::If"}:
            name, yes, no = node["Fn::If"]
            return _decided(yes if conditions.condition(name) else no, conditions)
        if isinstance(node.get("Condition"), str) and not conditions.condition(node["Condition"]):
            return NOTHING
        node = {key: _decided(value, conditions) for key, value in node.items()}
        return {key: value for key, value in node.items() if value != NOTHING}
    if isinstance(node, list):
        return [value for value in (_decided(each, conditions) for each in node) if value != NOTHING]
    return node

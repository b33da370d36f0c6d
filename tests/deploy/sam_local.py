"""AWS SAM CLI's own emulator, with each function in a Docker container."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from conformance.ground import DOCKER, answers, find_bridge
from emulator.ports import HOST, free_port
from emulator.processes import Child
from tests.deploy.samples import Broken, Sample
from tests.deploy.surroundings import ARCHITECTURE, BUILT, KEYS, REGION, ROOT, SAM, CannotStart, Children, Surroundings

IMAGE = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"
IMAGE_BUILD = ROOT.parent / "shared" / "lambda-image" / "build"  # a stand-in, where AWS's own cannot be pulled
VARIABLES = {**KEYS, "SAM_CLI_TELEMETRY": "0"}


@contextmanager
def docker(children: Children) -> Iterator[str]:
    """An engine with Lambda's image, started if none answers and then ended too.

    Gives this machine's address as its containers see it. Raises CannotStart.
    """
    engine = _engine(children) if find_bridge() is None else None
    before = _containers(), _layer_images()
    try:
        ways = ([DOCKER, "image", "inspect", IMAGE], [str(IMAGE_BUILD)], [DOCKER, "pull", "--quiet", IMAGE])
        if not any(_succeeds(*way) for way in ways):
            raise CannotStart(f"the image {IMAGE} is not here, and can neither be made nor pulled")
        bridge = find_bridge()
        assert bridge
        yield bridge
    finally:
        # SAM forgets containers that it has replaced, and keeps an image for each version of the layers.
        for what, left in (("rm", _containers() - before[0]), ("rmi", _layer_images() - before[1])):
            if left:
                subprocess.run([DOCKER, what, "--force", *left], capture_output=True, check=False)
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


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _containers() -> set[str]:
    return _listed("ps", "--all", "--filter", "label=sam.cli.container.type=lambda")


def _layer_images() -> set[str]:
    return _listed("images", "samcli/lambda-python")


def _listed(*what: str) -> set[str]:
    done = subprocess.run([DOCKER, *what, "--quiet"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


class SamLocal:
    """`sam local` on what was built, among its surroundings."""

    def __init__(self, around: Surroundings, lambda_port: int) -> None:
        self._around = around
        self.description = around.folder / "stack.json"
        self.lambda_url = f"http://{HOST}:{lambda_port}"
        self._lambda_port = lambda_port
        self._template = self._with_endpoints(around.values["aws.url"], around.values["aws.host"])

    def _with_endpoints(self, aws_url: str, host: str) -> Path:
        """The built template, its functions told where AWS's APIs are: SAM sets only variables that it names."""
        template = yaml.safe_load((BUILT / "template.yaml").read_text(encoding="utf-8"))
        variables = template["Globals"]["Function"]["Environment"]["Variables"]
        variables["AWS_ENDPOINT_URL"] = aws_url
        variables["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{host}:{self._lambda_port}"
        path = BUILT / "local.yaml"
        path.write_text(yaml.safe_dump(template), encoding="utf-8")
        return path

    def _command(self, *words: str) -> Sequence[str]:
        command = [str(SAM), "local", *words, "--template-file", str(self._template), "--skip-pull-image"]
        command += ["--region", REGION, "--parameter-overrides", *self._around.parameters(Architecture=ARCHITECTURE)]
        return command

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
        return json.loads(lines[-1])

    def start_lambda(self) -> None:
        """`start-lambda`, which functions call each other through."""
        self._start("start-lambda", self._lambda_port)

    def start_api(self) -> str:
        """`start-api`, with the sandbox's webhooks and our triggers; returns its URL."""
        port = free_port()
        self._start("start-api", port)
        url = f"http://{HOST}:{port}"
        self._around.start_sandbox(f"{url}/payments/webhook")
        command = [sys.executable, "-m", "emulator", "triggers", "--lambda-url", self.lambda_url]
        self._around.children.start("triggers", [*command, "--kafka", self._around.values["kafka.bootstrap"]])
        urls = {
            "api": url,
            "sandbox": f"http://{HOST}:{self._around.values['sandbox.port']}",
            "lambda": self.lambda_url,
        }
        self.description.write_text(json.dumps(urls), encoding="utf-8")
        return url

    def _start(self, what: str, port: int) -> None:
        """Returns when it answers."""
        command = self._command(what, "--port", str(port), "--warm-containers", "LAZY")
        child = self._around.children.start(what, command, VARIABLES)
        deadline = time.monotonic() + 120
        while not answers(f"http://{HOST}:{port}/"):
            if child.exit_code is not None or time.monotonic() > deadline:
                raise CannotStart(f"sam local {what} does not start:\n{child.last_lines()}")
            time.sleep(0.2)

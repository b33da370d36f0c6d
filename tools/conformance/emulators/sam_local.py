"""`sam local start-api` and `sam local start-lambda`: AWS SAM CLI, which runs functions in Docker containers."""

import subprocess
from functools import partial

from emulator.ports import free_port
from tools.conformance.emulator_client import Address, EmulatorClient
from tools.conformance.run_setup import DOCKER, HOST, REGION, ROOT, CannotStart, RunSetup, Server, answers

SAM = ROOT / ".sam-venv" / "bin" / "sam"
AWS_VARIABLES = {
    "SAM_CLI_TELEMETRY": "0",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
}
_IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
_PATIENCE = 240  # seconds; EAGER starts a container for every function first


class SamLocal:
    """Two servers: the API and the Invoke API have containers of their own."""

    title = "sam local 1.170"

    def __init__(self) -> None:
        self._servers: list[Server] = []
        self._others: set[str] = set()  # containers that ran before

    def start(self, setup: RunSetup, *, invoke_api: bool = True) -> EmulatorClient:
        """`invoke_api` False leaves start-lambda out, and its containers."""
        if setup.bridge is None:
            raise CannotStart("no Docker engine answers")
        if not SAM.exists():
            raise CannotStart("AWS SAM CLI is not installed here: `make .sam-venv/.installed`")
        if _docker("image", "inspect", _IMAGE).returncode:
            raise CannotStart(f"the image {_IMAGE} is not here")
        self._others = _containers()
        api, lambda_ = free_port(), free_port()
        parameters = [f"{name}={value}" for name, value in setup.parameters(setup.bridge).items()]
        wanted = [("start-api", api)] + ([("start-lambda", lambda_)] if invoke_api else [])
        for what, port in wanted:
            command = [str(SAM), "local", what, "--port", str(port), "--skip-pull-image", "--warm-containers", "EAGER"]
            command += ["--region", REGION, *(["--parameter-overrides", *parameters] if parameters else [])]
            server = Server(command, AWS_VARIABLES, setup.folder / "sam" / f"{what}.log", setup.project)
            self._servers.append(server)
            # One after the other: both build the image of the layer, under one tag.
            server.await_ready(partial(answers, f"http://{HOST}:{port}/"), _PATIENCE)
        return EmulatorClient(
            "sam",
            Address(HOST, api),
            Address(HOST, lambda_),
            setup.recorder,
            has_triggers=False,
        )

    def stop(self) -> None:
        if not self._servers:
            return
        for server in self._servers:
            server.stop()
        self._servers.clear()
        # It forgets containers it has replaced, and leaves them running.
        if left := _containers() - self._others:
            _docker("rm", "--force", *left)


def _containers() -> set[str]:
    label = "label=sam.cli.container.type=lambda"
    listed = _docker("ps", "--quiet", "--filter", label)
    listed.check_returncode()
    return set(listed.stdout.split())


def _docker(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([DOCKER, *words], capture_output=True, text=True, check=False, timeout=120)

"""Fixtures that build and deploy once a run."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from emulator.ports import free_port
from tests.deploy.ministack import MiniStack
from tests.deploy.outside_services import ARCHITECTURE, BUILT, ROOT, CannotStart, Children, start_outside_services
from tests.deploy.sam_local import SamLocal, docker

MAKE = shutil.which("make") or "make"


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long it took."""
    began = time.monotonic()
    yield
    print(f"\n{time.monotonic() - began:7.1f} s  {what}", flush=True)


@pytest.fixture(scope="session")
def built() -> Path:
    """The template that `sam build` made, for this machine's architecture."""
    with timed("sam build"):
        subprocess.run([MAKE, "-s", "build", f"ARCHITECTURE={ARCHITECTURE}"], cwd=ROOT, check=True, timeout=600)
    return BUILT / "template.yaml"


@pytest.fixture(scope="session")
def deployed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """The application on MiniStack with its outside services, and its stack.json for the e2e suite."""
    with start_outside_services(tmp_path_factory.mktemp("deployed"), aws=False) as outside:
        stack = MiniStack(outside)
        try:
            with timed("MiniStack starts"):
                stack.start()
            with timed("sam deploy"):
                stack.deploy(built)
            stack.stop_schedules()
        except CannotStart as reason:
            pytest.fail(str(reason), pytrace=False)
        with timed("seed"):
            outside.seed(stack.url)
        outside.start_sandbox(f"{stack.api_url()}/payments/webhook")
        stack.start_triggers()
        urls = {"api": stack.api_url(), "sandbox": outside.values["sandbox.url"], "aws": stack.url, "lambda": stack.url}
        stack.description.write_text(json.dumps(urls), encoding="utf-8")
        yield stack


@pytest.fixture(scope="session")
def sam_local(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamLocal]:
    """`sam local` with its outside services; skips if there is no Docker."""
    folder, lambda_port = tmp_path_factory.mktemp("sam-local"), free_port()
    with ExitStack() as started:
        started.callback((children := Children(folder / "docker")).stop)
        try:
            with timed("Docker, its image"):
                bridge = started.enter_context(docker(children))
        except CannotStart as reason:
            pytest.skip(str(reason))
        with timed("services"):
            outside = started.enter_context(
                start_outside_services(folder, aws=True, seen_at=bridge, also_forwarded=[lambda_port])
            )
        with timed("seed"):
            outside.seed(outside.values["aws.url"])
        emulator = SamLocal(outside, lambda_port)
        with timed("sam local start-lambda, and what functions call there"):
            emulator.start_lambda()
        yield emulator

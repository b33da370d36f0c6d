"""Our triggers in front of `sam local start-lambda`, which has none itself. Needs Docker, its image and the SAM CLI."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer

from emulator import services
from emulator.ports import free_port, is_free

ROOT = Path(__file__).parents[2]
OTHER_PROJECT = Path(__file__).parent / "other_project"
SAM = ROOT / ".sam-venv" / "bin" / "sam"
IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"


def missing() -> str | None:
    if not SAM.exists():
        return "the SAM CLI is not installed (make validate does that)"
    docker = shutil.which("docker")
    if not docker:
        return "Docker is not installed"
    if subprocess.run([docker, "image", "inspect", IMAGE], capture_output=True, check=False, timeout=60).returncode:
        return f"Docker does not run, or has no image {IMAGE}"
    return None


@contextmanager
def started(log: Path, *command: str) -> Iterator[None]:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "PYTHONPATH": str(ROOT)}
    environment |= {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a"}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, cwd=log.parent)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def test_kafka_and_schedules_call_the_functions_of_sam_local(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    project = shutil.copytree(OTHER_PROJECT, tmp_path / "library")
    port = free_port()
    sam_log = project / "sam.log"
    sam = (str(SAM), "local", "start-lambda", "-t", "stream.yaml", "--port", str(port), "--skip-pull-image")
    with services.start({"kafka": {"topics": {"returns": 1}}}, tmp_path / "services") as running:
        producer = KafkaProducer(bootstrap_servers=running.kafka)
        producer.send("returns", b"iliad").get(timeout=10)
        producer.close()
        triggers = (sys.executable, "-m", "emulator", "triggers", "--lambda-url", f"http://127.0.0.1:{port}")
        with started(sam_log, *sam):
            wait_until(lambda: not is_free(port))
            with started(project / "triggers.log", *triggers, "--template", "stream.yaml", "--kafka", running.kafka[0]):
                wait_until(lambda: "the clock struck" in sam_log.read_text())
                wait_until(lambda: "returned: iliad" in sam_log.read_text())


def wait_until(condition: Callable[[], bool], seconds: float = 50) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.05)

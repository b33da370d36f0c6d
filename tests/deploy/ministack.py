"""MiniStack, a local AWS: the template goes there with `sam build` and `sam deploy`, as it would to AWS."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from emulator.ports import HOST, free_port
from infra.deploy import pairs, with_settings
from tests.deploy.outside_services import ARCHITECTURE, KEYS, REGION, ROOT, SAM, CannotStart, OutsideServices
from tools.conformance.run_setup import answers

BINARY = ROOT / ".ministack-venv" / "bin" / "ministack"
STACK = "ticketing"
STAGE = "prod"


class MiniStack:
    """One server for every AWS API, and each function in processes of its own."""

    def __init__(self, around: OutsideServices) -> None:
        self._around = around
        self.description = around.folder / "stack.json"
        functions = around.folder / "functions"
        functions.mkdir()
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self._variables = {
            **KEYS,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "STATE_DIR": str(around.folder / "ministack"),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(functions),  # where it unpacks code and layers
        }

    def start(self) -> None:
        """Returns when it answers."""
        if not BINARY.exists():
            raise CannotStart("MiniStack is not installed here: `make .ministack-venv/.installed`")
        child = self._around.children.start("ministack", [str(BINARY)], self._variables, self._around.folder)
        deadline = time.monotonic() + 60
        while not answers(f"{self.url}/_ministack/health"):
            if child.exit_code is not None or time.monotonic() > deadline:
                raise CannotStart(f"MiniStack does not start:\n{child.last_lines()}")
            time.sleep(0.1)

    def client(self, service: str) -> Any:
        """boto3's."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(read_timeout=300, retries={"total_max_attempts": 1}),
        )

    def deploy(self, template: Path, *, must_succeed: bool = True, **parameters: str) -> str:
        """`sam deploy` of what was built; returns what it said. Raises CannotStart where it fails and must not."""
        given = pairs(self._around.parameters(Architecture=ARCHITECTURE, **parameters))
        template = with_settings(template, given)
        command = [str(SAM), "deploy", "--template-file", str(template), "--stack-name", STACK, "--region", REGION]
        command += ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        command += ["--no-progressbar", "--no-confirm-changeset", "--parameter-overrides"]
        command += [f"{name}={value}" for name, value in given.items()]
        variables = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": self.url, "SAM_CLI_TELEMETRY": "0"}
        done = subprocess.run(
            command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
        )
        said = done.stdout + done.stderr
        with (self._around.folder / "logs" / "deploy.log").open("a") as log:
            log.write(said)
        if done.returncode and must_succeed:
            raise CannotStart(f"sam deploy failed:\n{said[-3000:]}")
        return said

    def stop_schedules(self) -> None:
        """MiniStack keeps them itself, from a minute on; here our triggers do, from the start, and once is enough."""
        scheduler = self.client("scheduler")
        for page in scheduler.get_paginator("list_schedules").paginate():
            for listed in page["Schedules"]:
                schedule = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
                kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
                scheduler.update_schedule(**{key: schedule[key] for key in kept}, State="DISABLED")

    def resources(self) -> Mapping[str, tuple[str, str]]:
        """The stack's: logical id -> type and physical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        return {
            one["LogicalResourceId"]: (one["ResourceType"], one.get("PhysicalResourceId", ""))
            for page in pages
            for one in page["StackResourceSummaries"]
        }

    def functions(self) -> Mapping[str, str]:
        """Name in the template -> name."""
        return {key: name for key, (kind, name) in self.resources().items() if kind == "AWS::Lambda::Function"}

    def status(self) -> str:
        """The stack's."""
        described = self.client("cloudformation").describe_stacks(StackName=STACK)
        return str(described["Stacks"][0]["StackStatus"])

    def api_url(self) -> str:
        """Of the stack's REST API, by path: a name of its own would have to be resolved."""
        api = self.resources()["Api"][1]
        return f"{self.url}/restapis/{api}/{STAGE}/_user_request_"

    def start_triggers(self) -> None:
        """Ours, for the schedules and Kafka event sources of the stack."""
        command = [sys.executable, "-m", "emulator", "triggers", "--lambda-url", self.url, "--stack", STACK]
        command += ["--aws", self.url, "--kafka", self._around.values["kafka.bootstrap"]]
        self._around.children.start("triggers", command, KEYS)

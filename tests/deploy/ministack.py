"""MiniStack, a local AWS: the template is deployed with `sam build` and `sam deploy`, as to AWS."""

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

    def __init__(self, outside: OutsideServices) -> None:
        self._outside = outside
        self.description = outside.folder / "stack.json"
        functions = outside.folder / "functions"
        functions.mkdir()
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self._variables = {
            **KEYS,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "STATE_DIR": str(outside.folder / "ministack"),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(functions),  # where it unpacks code and layers
        }

    def start(self) -> None:
        """Returns when it answers requests."""
        if not BINARY.exists():
            raise CannotStart("MiniStack is not installed here: `make .ministack-venv/.installed`")
        child = self._outside.children.start("ministack", [str(BINARY)], self._variables, self._outside.folder)
        deadline = time.monotonic() + 60
        while not answers(f"{self.url}/_ministack/health"):
            if child.exit_code is not None or time.monotonic() > deadline:
                raise CannotStart(f"MiniStack does not start:\n{child.last_lines()}")
            time.sleep(0.1)

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(read_timeout=300, retries={"total_max_attempts": 1}),
        )

    def deploy(self, template: Path, *, must_succeed: bool = True, **parameters: str) -> str:
        """Runs `sam deploy` on a built template; returns its output. Raises CannotStart if it fails but must not."""
        given = pairs(self._outside.parameters(Architecture=ARCHITECTURE, **parameters))
        template = with_settings(template, given)
        command = [str(SAM), "deploy", "--template-file", str(template), "--stack-name", STACK, "--region", REGION]
        command += ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        command += ["--no-progressbar", "--no-confirm-changeset", "--parameter-overrides"]
        command += [f"{name}={value}" for name, value in given.items()]
        variables = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": self.url, "SAM_CLI_TELEMETRY": "0"}
        done = subprocess.run(
            command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
        )
        output = done.stdout + done.stderr
        with (self._outside.folder / "logs" / "deploy.log").open("a") as log:
            log.write(output)
        if done.returncode and must_succeed:
            raise CannotStart(f"sam deploy failed:\n{output[-3000:]}")
        return output

    def stop_schedules(self) -> None:
        """MiniStack would run them after a minute; our triggers run them from the start, and only once."""
        scheduler = self.client("scheduler")
        for page in scheduler.get_paginator("list_schedules").paginate():
            for listed in page["Schedules"]:
                schedule = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
                kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
                scheduler.update_schedule(**{key: schedule[key] for key in kept}, State="DISABLED")

    def resources(self) -> Mapping[str, tuple[str, str]]:
        """Logical id -> type and physical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        return {
            one["LogicalResourceId"]: (one["ResourceType"], one.get("PhysicalResourceId", ""))
            for page in pages
            for one in page["StackResourceSummaries"]
        }

    def functions(self) -> Mapping[str, str]:
        """Logical id -> function name."""
        return {key: name for key, (kind, name) in self.resources().items() if kind == "AWS::Lambda::Function"}

    def status(self) -> str:
        """The stack's status."""
        described = self.client("cloudformation").describe_stacks(StackName=STACK)
        return str(described["Stacks"][0]["StackStatus"])

    def api_url(self) -> str:
        """The URL of the stack's REST API, by path: its host name would have to be resolved."""
        api = self.resources()["Api"][1]
        return f"{self.url}/restapis/{api}/{STAGE}/_user_request_"

    def start_triggers(self) -> None:
        """Starts our triggers for the stack's schedules and Kafka event sources."""
        command = [sys.executable, "-m", "emulator", "triggers", "--lambda-url", self.url, "--stack", STACK]
        command += ["--aws", self.url, "--kafka", self._outside.values["kafka.bootstrap"]]
        self._outside.children.start("triggers", command, KEYS)

"""MiniStack, a local AWS: the template goes there with `sam deploy`, as it would to AWS."""

from typing import Any

from emulator.ports import free_port
from tools.conformance.emulator_client import Address, EmulatorClient
from tools.conformance.emulators.sam_local import AWS_VARIABLES, SAM
from tools.conformance.run_setup import HOST, REGION, ROOT, CannotStart, RunSetup, Server, answers

_BINARY = ROOT / ".ministack-venv" / "bin" / "ministack"
_STACK = "conformance"
_STAGE = "v1"
_PATIENCE = 60  # seconds


class MiniStack:
    """One server for every AWS API, functions in processes of its own."""

    title = "MiniStack 1.5.33"

    def __init__(self) -> None:
        self._server: Server | None = None

    def start(self, setup: RunSetup) -> EmulatorClient:
        if not _BINARY.exists():
            raise CannotStart("MiniStack is not installed here: `make .ministack-venv/.installed`")
        port = free_port()
        url = f"http://{HOST}:{port}"
        variables = {
            **AWS_VARIABLES,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "STATE_DIR": str(setup.folder / "ministack" / "state"),
            "SFTP_PORT": str(free_port()),
            "TMPDIR": str(setup.folder),  # it leaves the functions' code there
        }
        self._server = Server([str(_BINARY)], variables, setup.folder / "ministack" / "server.log", setup.folder)
        self._server.await_ready(lambda: answers(f"{url}/_ministack/health"), _PATIENCE)
        resources = self._deploy(setup, url)
        api = next(name for kind, name in resources.values() if kind == "AWS::ApiGateway::RestApi")
        return EmulatorClient(
            "ministack",
            Address(HOST, port, f"/{_STAGE}", {"Host": f"{api}.execute-api.localhost:{port}"}),
            Address(HOST, port, headers={"Host": f"lambda.{REGION}.localhost:{port}"}),
            setup.recorder,
            functions={key: name for key, (kind, name) in resources.items() if kind == "AWS::Lambda::Function"},
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _deploy(self, setup: RunSetup, url: str) -> dict[str, tuple[str, str]]:
        """Logical id -> type and physical id."""
        import boto3

        keys: dict[str, Any] = {
            "endpoint_url": url,
            "region_name": REGION,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        boto3.client("s3", **keys).create_bucket(Bucket=_STACK)
        parameters = [f"{name}={value}" for name, value in setup.parameters(HOST).items()]
        command = [str(SAM), "deploy", "--template-file", str(setup.project / "template.yaml")]
        command += ["--stack-name", _STACK, "--s3-bucket", _STACK, "--region", REGION]
        command += ["--capabilities", "CAPABILITY_IAM", "--no-progressbar", "--no-confirm-changeset"]
        command += ["--parameter-overrides", *parameters] if parameters else []
        variables = {**AWS_VARIABLES, "AWS_ENDPOINT_URL": url}
        deploy = Server(command, variables, setup.folder / "ministack" / "deploy.log", setup.folder)
        try:
            deploy.finish(300)
        finally:
            deploy.stop()
        found = boto3.client("cloudformation", **keys).describe_stack_resources(StackName=_STACK)
        return {
            one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"])
            for one in found["StackResources"]
        }

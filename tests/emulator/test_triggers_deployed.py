"""Triggers for functions that CloudFormation deployed under names of its own."""

import asyncio
import json

import boto3
import pytest
from aiohttp import web

from emulator.stack import StackError
from emulator.triggers.command import deployed_names
from emulator.triggers.endpoint import LambdaEndpoint

REGION = "eu-central-1"
TEMPLATE = {
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
        "GreetFunction": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "greet-1QX7",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Code": {"ZipFile": "def handler(event, context): ..."},
            },
        },
    }
}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a")


def test_the_names_of_functions_are_read_from_their_stack(aws: str) -> None:
    cloudformation = boto3.client("cloudformation", region_name=REGION, endpoint_url=aws)
    cloudformation.create_stack(StackName="greetings", TemplateBody=json.dumps(TEMPLATE))
    assert deployed_names("greetings", REGION, aws) == {"GreetFunction": "greet-1QX7"}


def test_a_missing_stack_is_reported(aws: str) -> None:
    with pytest.raises(StackError, match="the stack farewells cannot be read"):
        deployed_names("farewells", REGION, aws)


@pytest.mark.parametrize(("function", "called"), [("GreetFunction", "greet-1QX7"), ("Other", "Other")])
def test_a_function_is_called_by_its_deployed_name(function: str, called: str) -> None:
    paths = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response({})

    async def call() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with LambdaEndpoint(url, {"GreetFunction": "greet-1QX7"}) as endpoint:
            await endpoint.invoke(function, b"{}")
        await runner.cleanup()

    asyncio.run(call())
    assert paths == [f"/2015-03-31/functions/{called}/invocations"]

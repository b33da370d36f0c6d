"""`python -m emulator triggers`: a stack's triggers alone, for functions that run elsewhere."""

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence

from emulator import config as configuration
from emulator import template
from emulator.options import Options
from emulator.stack import StackError
from emulator.triggers.running import Triggers


def run(
    options: Options,
    lambda_url: str,
    bootstrap: Sequence[str] | None,
    aws_url: str | None,
    deployed_as: str | None = None,
) -> None:
    """Returns at SIGINT or SIGTERM, after it has committed offsets. Raises StackError.

    `deployed_as` is the name of the template's CloudFormation stack at `aws_url`.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    config = configuration.of(options)
    values = {"aws.url": aws_url or "", "kafka.url": ",".join(bootstrap or ()), "lambda.url": lambda_url}
    values["kafka.bootstrap"] = values["kafka.url"]
    # Some parameters are read by functions only, which run elsewhere.
    parameters = {name: configuration.fill_known(text, values) for name, text in config.parameters.items()}
    stack = template.load(config.template, {**parameters, **options.parameters}, region=config.region)
    names = deployed_names(deployed_as, config.region, aws_url) if deployed_as else {}
    asyncio.run(_run(Triggers(stack, lambda_url, bootstrap, aws_url, names), lambda_url))


def deployed_names(stack: str, region: str, aws_url: str | None) -> Mapping[str, str]:
    """Function names in the CloudFormation stack: name in the template -> name. Raises StackError."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        pages = boto3.client("cloudformation", region_name=region, endpoint_url=aws_url).get_paginator(
            "list_stack_resources"
        )
        resources = [one for page in pages.paginate(StackName=stack) for one in page["StackResourceSummaries"]]
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"the stack {stack} cannot be read: {error}") from None
    return {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources
        if one["ResourceType"] == "AWS::Lambda::Function"
    }


async def _run(triggers: Triggers, lambda_url: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with triggers:
        status = triggers.status()
        for source in status["sources"]:
            print(f"{source['topic']} -> {source['function']}")
        for schedule in status["schedules"]:
            print(f"{schedule['expression']} -> {schedule['function']}")
        print(f"calling {lambda_url}; stop with Ctrl-C", flush=True)
        await stop.wait()

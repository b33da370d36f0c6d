"""`python -m emulator triggers`: a stack's triggers alone, for functions that run elsewhere."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence

from emulator import config as configuration
from emulator import template
from emulator.options import Options
from emulator.triggers.running import Triggers


def run(options: Options, lambda_url: str, bootstrap: Sequence[str] | None, aws_url: str | None) -> None:
    """Returns at SIGINT or SIGTERM, with what is done committed. Raises StackError."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    config = configuration.of(options)
    values = {"aws.url": aws_url or "", "kafka.url": ",".join(bootstrap or ()), "lambda.url": lambda_url}
    values["kafka.bootstrap"] = values["kafka.url"]
    # The template asks for parameters that only its functions read, and those run elsewhere.
    parameters = {name: configuration.fill_known(text, values) for name, text in config.parameters.items()}
    stack = template.load(config.template, {**parameters, **options.parameters}, region=config.region)
    asyncio.run(_run(Triggers(stack, lambda_url, bootstrap, aws_url), lambda_url))


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
        print(f"calling {lambda_url}; Ctrl-C stops it", flush=True)
        await stop.wait()

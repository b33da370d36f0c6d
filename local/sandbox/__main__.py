"""`python -m local.sandbox --port 3001 --webhook-url http://127.0.0.1:3000/payments/webhook`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from urllib.parse import urlsplit

from local.sandbox.server import serve
from local.sandbox.settings import Settings, SettingsError


def local_url(text: str) -> str:
    """`text` if it points to this machine: the sandbox calls no other."""
    parts = urlsplit(text)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost"):
        message = "must be http:// on 127.0.0.1 or localhost"
        raise argparse.ArgumentTypeError(message)
    return text


def main() -> int:
    """Runs until SIGINT or SIGTERM. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.sandbox", description="Simulates the outside parties on 127.0.0.1."
    )
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--webhook-url", type=local_url, default="http://127.0.0.1:3000/payments/webhook")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="sandbox: %(message)s")
    try:
        asyncio.run(_run(Settings.from_environment(os.environ), arguments.webhook_url, arguments.port))
    except (SettingsError, OSError, OverflowError) as error:  # OverflowError: an invalid port number
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(settings: Settings, webhook_url: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(settings, webhook_url, port) as url:
        logging.getLogger("sandbox").info("listening on %s, webhooks go to %s", url, webhook_url)
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())

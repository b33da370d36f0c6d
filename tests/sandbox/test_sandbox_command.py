"""`python -m local.sandbox`, as it is started."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from local.sandbox.settings import Settings, SettingsError
from tests.support.child_process import Child


def start(*arguments: str, **environment: str) -> Child:
    return Child(
        [sys.executable, "-m", "local.sandbox", *arguments],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.starts_processes
def test_it_serves_prints_its_url_and_stops_cleanly_on_sigterm() -> None:
    with start("--port", "0") as process:
        line = process.line(seconds=30)
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        with urllib.request.urlopen(f"{found[0]}/health", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.starts_processes
def test_a_port_in_use_is_an_error_of_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with start("--port", str(taken.getsockname()[1])) as process:
            _, error = process.communicate(timeout=10)
    assert process.returncode == 1
    assert error.startswith("sandbox: ")
    assert error.count("\n") == 1


@pytest.mark.starts_processes
def test_webhooks_are_sent_to_this_machine_only() -> None:
    with start("--webhook-url", "http://shop.example/payments/webhook") as process:
        _, error = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "127.0.0.1" in error


def test_the_environment_overrides_defaults_and_empty_means_default() -> None:
    settings = Settings.from_environment({"PORTONE_STORE_ID": "store-mine", "CAPTCHA_SECRET": ""})
    assert (settings.portone_store_id, settings.captcha_secret) == ("store-mine", Settings().captcha_secret)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_***", "c2FuZGJveC13ZWJob29rLXNlY3JldA==", "whsec_c2hvcnQ="])
def test_a_webhook_secret_that_cannot_sign_is_rejected_at_start(secret: str) -> None:
    with pytest.raises(SettingsError):
        Settings.from_environment({"PORTONE_WEBHOOK_SECRET": secret})

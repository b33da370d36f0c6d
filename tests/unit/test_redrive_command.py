"""The command line for dead letters, with a fake OutboxRedriveFunction."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tools.redrive import __main__ as command

HERE = "dlq.payment/0/17"


class FakeFunction:
    """Has one dead letter."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:
        request = json.loads(Payload)
        known = [each for each in request["ids"] or [HERE] if each == HERE and request.get("reason", "") == ""]
        outcomes = dict.fromkeys(request["ids"], "is not there") | dict.fromkeys(known, "put back on payment.events")
        answer = (
            {"outcomes": outcomes} if request["action"] == "put-back" else {"letters": [{"id": id_} for id_ in known]}
        )
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), "FunctionName": FunctionName}


@pytest.mark.parametrize(
    ("words", "exit_code", "expected"),
    [
        (["show", HERE], 0, HERE),
        (["show", HERE, "nothing"], 1, "not found: nothing"),
        (["put-back", HERE], 0, f"{HERE}  put back on payment.events"),
        (["put-back", HERE, "nothing"], 1, "nothing  is not there"),
        (["put-back", "--all", "--reason", "no such reason"], 0, "no dead letter matches"),
        (["put-back", "--all", HERE], 2, "give the ids of dead letters, or --all"),
        (["put-back"], 2, "give the ids of dead letters, or --all"),
    ],
)
def test_a_missing_letter_is_reported_and_fails_the_command(
    words: list[str], exit_code: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boto3.client", FakeFunction)
    done = CliRunner().invoke(command.app, words)
    assert (done.exit_code, expected in done.output) == (exit_code, True), done.output


def test_without_a_running_stack_the_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command.app, ["--local", "list"])
    assert (done.exit_code, str(done.output)) == (1, "no stack is running here: start it with `make up`\n")

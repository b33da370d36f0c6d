"""The sample events of events/, and whether a function answers one as it should."""

import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.handlers import deployed_functions

TOO_SOON = re.compile("may (change|sign) in [0-9]+ s")  # what a rotation says of secrets that were just made
# What runs for its whole minute, or two: begun first, so that it ends while the others are asked.
LONG = frozenset({"AdmitterFunction", "OutboxRelayFunction", "ReservationsExpireFunction"})


@dataclass(frozen=True)
class Sample:
    """One file of events/."""

    function: str  # its name in the template
    path: Path

    def event(self) -> Any:
        return json.loads(self.path.read_text(encoding="utf-8"))

    @property
    def is_of_another_service(self) -> bool:
        """Whether functions call it, rather than the gateway, Kafka or the clock."""
        return bool(self.event().keys() == {"headers", "body"})


def samples() -> list[Sample]:
    """One for each function of template.yaml."""
    found = [Sample(function.logical_id, function.sample) for function in deployed_functions()]
    return sorted(found, key=lambda sample: sample.function not in LONG)


class Broken(AssertionError):
    """A function failed rather than answered."""


def ask_all(asked: Sequence[Sample], ask: Callable[[Sample], Any], at_once: int) -> dict[str, str]:
    """What each answers, briefly, by the name of its file: a status, an error's code; printed.

    Raises Broken, with all of them, where an answer is an error or a 5xx.
    """
    with ThreadPoolExecutor(at_once) as pool:
        outcomes = dict(
            zip((one.path.name for one in asked), pool.map(lambda one: _outcome(one, ask), asked), strict=True)
        )
    print("\n".join(f"          {name:<40} {answer}" for name, answer in outcomes.items()))
    if broken := {name: answer for name, answer in outcomes.items() if answer.startswith("BROKEN")}:
        raise Broken(json.dumps(broken, indent=2))
    return outcomes


def _outcome(sample: Sample, ask: Callable[[Sample], Any], tries: int = 5) -> str:
    # A function that starts cold, and starts another, may on a busy machine take longer than it has: its 503 says so.
    problem = ""
    for attempt in range(tries):
        time.sleep(2 * attempt)
        try:
            return _brief(ask(sample))
        except Broken as error:
            problem = str(error)
    return f"BROKEN {problem}"


def _brief(answer: Any) -> str:
    text = json.dumps(answer, ensure_ascii=False)[:300]
    if isinstance(answer, dict):
        if TOO_SOON.search(str(answer.get("errorMessage"))):
            return "rejected: too soon"
        if "errorType" in answer or "errorMessage" in answer:
            raise Broken(text)
        if "statusCode" in answer:
            if answer["statusCode"] >= 500:
                raise Broken(text)
            return f"{answer['statusCode']} {_code(answer)}".strip()
        if "error" in answer:  # of a function that only other services call
            if answer["error"]["retryable"]:
                raise Broken(text)
            return f"rejected: {answer['error']['code']}"
        if "batchItemFailures" in answer:
            return f"{len(answer['batchItemFailures'])} of the batch to be repeated"
        if "policyDocument" in answer:
            return f"{answer['policyDocument']['Statement'][0]['Effect']} {answer['context'].get('code', '')}".strip()
    return text[:60]


def _code(answer: dict[str, Any]) -> str:
    try:
        return str(json.loads(answer["body"]).get("code", ""))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""

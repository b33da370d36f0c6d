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

TOO_SOON = re.compile("may (change|sign) in [0-9]+ s")  # a rotation's error for secrets that were just created
# These run for a whole minute, or two: invoked first, so that they end while the others run.
LONG = frozenset({"AdmitterFunction", "OutboxRelayFunction", "ReservationsExpireFunction"})


@dataclass(frozen=True)
class Sample:
    """One file of events/."""

    function: str  # its name in the template
    path: Path

    def event(self) -> Any:
        return json.loads(self.path.read_text(encoding="utf-8"))

    @property
    def is_internal_call(self) -> bool:
        """Whether other functions call it, rather than the gateway, Kafka or a schedule."""
        return bool(self.event().keys() == {"headers", "body"})


def samples() -> list[Sample]:
    """One for each function of template.yaml."""
    found = [Sample(function.logical_id, function.sample) for function in deployed_functions()]
    return sorted(found, key=lambda sample: sample.function not in LONG)


class FunctionFailed(AssertionError):
    """A function failed instead of answering."""


def invoke_all(samples: Sequence[Sample], invoke: Callable[[Sample], Any], at_once: int) -> dict[str, str]:
    """A short form of each answer by file name: a status, an error's code. Prints them.

    Raises FunctionFailed with all failures if an answer is an error or a 5xx.
    """
    with ThreadPoolExecutor(at_once) as pool:
        outcomes = dict(
            zip((one.path.name for one in samples), pool.map(lambda one: _outcome(one, invoke), samples), strict=True)
        )
    print("\n".join(f"          {name:<40} {answer}" for name, answer in outcomes.items()))
    if failed := {name: answer for name, answer in outcomes.items() if answer.startswith("FAILED")}:
        raise FunctionFailed(json.dumps(failed, indent=2))
    return outcomes


def _outcome(sample: Sample, invoke: Callable[[Sample], Any], tries: int = 5) -> str:
    # On a busy machine a cold start that causes another one may exceed the timeout, with a 503.
    problem = ""
    for attempt in range(tries):
        time.sleep(2 * attempt)
        try:
            return _brief(invoke(sample))
        except FunctionFailed as error:
            problem = str(error)
    return f"FAILED {problem}"


def _brief(answer: Any) -> str:
    text = json.dumps(answer, ensure_ascii=False)[:300]
    if isinstance(answer, dict):
        if TOO_SOON.search(str(answer.get("errorMessage"))):
            return "rejected: too soon"
        if "errorType" in answer or "errorMessage" in answer:
            raise FunctionFailed(text)
        if "statusCode" in answer:
            if answer["statusCode"] >= 500:
                raise FunctionFailed(text)
            return f"{answer['statusCode']} {_code(answer)}".strip()
        if "error" in answer:  # of a function that only other services call
            if answer["error"]["retryable"]:
                raise FunctionFailed(text)
            return f"rejected: {answer['error']['code']}"
        if "batchItemFailures" in answer:
            return f"{len(answer['batchItemFailures'])} of the batch failed"
        if "policyDocument" in answer:
            return f"{answer['policyDocument']['Statement'][0]['Effect']} {answer['context'].get('code', '')}".strip()
    return text[:60]


def _code(answer: dict[str, Any]) -> str:
    try:
        return str(json.loads(answer["body"]).get("code", ""))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""

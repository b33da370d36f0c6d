"""Asks a running emulator for every behaviour."""

import http.client
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from tools.conformance.behaviour import Behaviour, Differs, shorten
from tools.conformance.emulator_client import EmulatorClient

Verdict = Literal["as AWS", "differs", "not offered"]


@dataclass(frozen=True)
class Outcome:
    """One cell of the table."""

    verdict: Verdict
    answered: str = ""  # where it differs


def ask(client: EmulatorClient, behaviours: Iterable[Behaviour]) -> dict[str, Outcome]:
    """Behaviour's name -> outcome. What takes minutes on AWS is begun first and looked at last."""
    wanted = list(behaviours)
    outcomes = {one.name: Outcome("not offered") for one in wanted if one.feature in client.lacks}
    asked = [one for one in wanted if one.name not in outcomes]
    for one in asked:
        if one.begin is not None:
            failure = _failure(one.begin, client)
            if failure is not None:
                outcomes[one.name] = failure
    for one in sorted(asked, key=lambda each: each.late or each.begin is not None):
        if one.name not in outcomes:
            outcomes[one.name] = _failure(one.check, client) or Outcome("as AWS")
    return outcomes


def _failure(check: Callable[[EmulatorClient], None], client: EmulatorClient) -> Outcome | None:
    try:
        check(client)
    except Differs as differs:
        return Outcome("differs", shorten(str(differs)))
    except TimeoutError:
        return Outcome("differs", "no answer in 45 s")
    except (OSError, http.client.HTTPException) as error:
        return Outcome("differs", shorten(f"closed the connection ({type(error).__name__})"))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        # The answer is not of the shape the check reads: that too is an answer AWS does not give.
        return Outcome("differs", shorten(f"an answer of another shape: {type(error).__name__} {error}"))
    return None

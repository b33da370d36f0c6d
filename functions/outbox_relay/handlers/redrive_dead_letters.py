"""For operators, by direct invocation (`python -m tools.redrive`): the dead letters, listed, shown and put back."""

from typing import Any, Literal

from pydantic import Field

from common.domain.model import Model
from functions.outbox_relay.usecases.dead_letters import Letter, Wanted
from functions.outbox_relay.wiring.relay import dead_letters


class Asked(Model):
    action: Literal["list", "show", "put-back"]
    ids: tuple[str, ...] = ()  # dlq.payment/0/17; none asks for all that fit
    reason: str = ""  # a part of it
    event_type: str = ""
    limit: int = Field(default=100, ge=1, le=1_000)
    dry_run: bool = False


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"letters": […]}` of list and show, `{"outcomes": {id: what became of it}}` of put-back.

    Raises pydantic's ValidationError; BrokerAway, and StoreUnavailable, with nothing put back.
    """
    asked = Asked.model_validate(event)
    wanted = Wanted(asked.ids, asked.reason, asked.event_type, asked.limit)
    if asked.action == "put-back":
        return {"outcomes": dead_letters().put_back(wanted, dry_run=asked.dry_run)}
    whole = asked.action == "show"
    return {
        "letters": [
            _described(letter, whole) | {"putBackAt": done_at.isoformat() if done_at else None}
            for letter, done_at in dead_letters().find(wanted)
        ]
    }


def _described(letter: Letter, whole: bool) -> dict[str, Any]:
    described = {
        "id": letter.id,
        "at": letter.at.isoformat(),
        "topic": letter.topic,
        "eventType": letter.event_type,
        "key": letter.key,
        "reason": letter.reason,
        "consumer": letter.headers.get("consumer", ""),
    }
    return described | {"headers": dict(letter.headers), "value": letter.value} if whole else described

"""For operators, by direct invocation (`python -m tools.redrive`): the dead letters, listed, shown and put back."""

from typing import Any, Literal

from pydantic import Field

from common.domain.model import Model
from functions.outbox_relay.domain.dead_letter import DeadLetter, LetterFilter
from functions.outbox_relay.wiring import redriving


class RedriveRequest(Model):
    action: Literal["list", "show", "put-back"]
    ids: tuple[str, ...] = ()  # dlq.payment/0/17; without ids, all letters that match
    reason: str = ""  # a part of it
    event_type: str = ""
    limit: int = Field(default=100, ge=1, le=1_000)
    dry_run: bool = False


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"letters": […]}` for list and show, `{"outcomes": {id: what became of it}}` for put-back.

    Raises pydantic's ValidationError; BrokerUnavailable or StoreUnavailable, with nothing put back.
    """
    request = RedriveRequest.model_validate(event)
    wanted = LetterFilter(request.ids, request.reason, request.event_type, request.limit)
    if request.action == "put-back":
        return {"outcomes": redriving.redrive().put_back(wanted, dry_run=request.dry_run)}
    in_full = request.action == "show"
    return {
        "letters": [
            _described(letter, in_full) | {"putBackAt": done_at.isoformat() if done_at else None}
            for letter, done_at in redriving.redrive().find(wanted)
        ]
    }


def _described(letter: DeadLetter, in_full: bool) -> dict[str, Any]:
    described = {
        "id": letter.id,
        "at": letter.at.isoformat(),
        "topic": letter.topic,
        "eventType": letter.event_type,
        "key": letter.key,
        "reason": letter.reason,
        "consumer": letter.headers.get("consumer", ""),
    }
    return described | {"headers": dict(letter.headers), "value": letter.value} if in_full else described

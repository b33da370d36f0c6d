"""GET /health: whether the stores answer now (GW-013). 200 when all do, else 503."""

from collections.abc import Callable
from typing import Literal

from common.domain.model import Model
from common.http.endpoint import Response, endpoint
from common.runtime.log import log
from functions.gateway.wiring import health

State = Literal["UP", "DOWN"]


class Checks(Model):
    postgres: State
    redis: State
    kafka: State


class Health(Model):
    status: State
    checks: Checks


def _state(name: str, check: Callable[[], None]) -> State:
    try:
        check()
    except Exception:  # whatever it is, the store does not answer
        log.exception("a store does not answer", extra={"store": name})
        return "DOWN"
    return "UP"


@endpoint(limit=None, responses={200: Health, 503: Health})
def handler() -> Response:
    checks = Checks(
        postgres=_state("postgres", health.check_postgres),
        redis=_state("redis", health.check_redis),
        kafka=_state("kafka", health.check_kafka),
    )
    up = all(state == "UP" for state in (checks.postgres, checks.redis, checks.kafka))
    return Response(Health(status="UP" if up else "DOWN", checks=checks), 200 if up else 503)

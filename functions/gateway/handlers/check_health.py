"""GET /health: whether the stores answer, asked of them now (GW-013). 200 when all do, else 503."""

import socket
from collections.abc import Callable
from typing import Literal

from common.domain.model import Model
from common.http.endpoint import Answer, endpoint
from common.runtime.log import log
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.postgres import database

State = Literal["UP", "DOWN"]


class HealthSettings(Settings):
    kafka_bootstrap_servers: str


class Checks(Model):
    postgres: State
    redis: State
    kafka: State


class Health(Model):
    status: State
    checks: Checks


def _postgres() -> None:
    database().rows("SELECT 1")


def _redis() -> None:
    redis.client().ping()


def _kafka() -> None:
    """One broker takes a connection; a client library's handshake would cost more than the answer is worth."""
    servers = HealthSettings.from_environment().kafka_bootstrap_servers.split(",")
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            if server == servers[-1]:
                raise
        else:
            return


def _state(name: str, check: Callable[[], object]) -> State:
    try:
        check()
    except Exception:  # whatever it is, the store does not answer
        log.exception("a store does not answer", extra={"store": name})
        return "DOWN"
    return "UP"


@endpoint(limit=None, answers={200: Health, 503: Health})
def handler() -> Answer:
    checks = Checks(
        postgres=_state("postgres", _postgres), redis=_state("redis", _redis), kafka=_state("kafka", _kafka)
    )
    up = all(state == "UP" for state in (checks.postgres, checks.redis, checks.kafka))
    return Answer(Health(status="UP" if up else "DOWN", checks=checks), 200 if up else 503)

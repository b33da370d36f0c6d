"""Every minute, for a minute: keep the outbox empty (RSV-012, PAY-013).

Polls rather than LISTENs: LISTEN pins RDS Proxy's connection, and NOTIFY takes a lock on the whole database. Busy
shards are drained without pause; idle ones are looked at every 50 ms.
"""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from common.log import log
from common.metrics import emit
from common.postgres import database
from common.problem import store_away
from common.settings import Settings
from functions.outbox_relay.kafka_publisher import KafkaPublisher
from functions.outbox_relay.relay import BrokerAway, Pass, Relay

IDLE_SECONDS = 0.05
AWAY_SECONDS = 1.0
SPARE_SECONDS = 2.0


class RelaySettings(Settings):
    kafka_bootstrap_servers: str
    kafka_security: str = "AWS_MSK_IAM"  # or PLAINTEXT
    relay_batch: int = 200


@cache
def relay() -> Relay:
    settings = RelaySettings.from_environment()
    iam = {"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}
    security = iam if settings.kafka_security == "AWS_MSK_IAM" else {}
    publisher = KafkaPublisher(settings.kafka_bootstrap_servers.split(","), security)
    return Relay(database(), publisher, settings.relay_batch)


def handler(event: dict[str, Any], context: Any) -> None:
    while context.get_remaining_time_in_millis() / 1000 > SPARE_SECONDS:
        try:
            pause = IDLE_SECONDS if _sweep(relay()) == 0 else 0.0
        except store_away(BrokerAway):
            log.exception("nothing can be published now")
            pause = AWAY_SECONDS
        time.sleep(pause)


def _sweep(relay: Relay) -> int:
    """One pass over the shards that have work; how many records it looked at."""
    looked_at = 0
    for shard in relay.busy_shards():
        done = relay.drain(shard)
        looked_at += done.published
        _record(done)
    return looked_at


def _record(done: Pass) -> None:
    if not done.published and not done.failed:
        return
    emit(
        {"service": "outbox_relay"},
        Published=done.published,
        PublishFailed=done.failed,
        OldestAge=(MetricUnit.Seconds, done.oldest_seconds),
    )

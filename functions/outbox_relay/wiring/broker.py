"""How this function connects to Kafka."""

from functools import cache
from typing import Any

from common.wiring.secret_cache import secret
from functions.outbox_relay.adapters.kafka_connection import KafkaSettings, kafka_options


@cache
def broker_options() -> dict[str, Any]:
    settings = KafkaSettings.from_environment()
    return kafka_options(settings, secret("kafka") if settings.kafka_security == "SCRAM" else None)

"""The stores that the health check calls. Each function raises if its store does not answer."""

from common.runtime.settings import Settings
from common.wiring.database import database
from common.wiring.redis_client import redis_client
from functions.gateway.adapters.kafka_port import connect_to_any


class HealthSettings(Settings):
    kafka_bootstrap_servers: str


def check_postgres() -> None:
    database().rows("SELECT 1")


def check_redis() -> None:
    redis_client().ping()


def check_kafka() -> None:
    connect_to_any(HealthSettings.from_environment().kafka_bootstrap_servers)

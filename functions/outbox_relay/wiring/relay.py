"""The relay put together: built on the first invocation, kept for the warm container."""

from functools import cache

from common.runtime.settings import Settings
from common.stores.postgres import database
from functions.outbox_relay.adapters.kafka_connection import kafka
from functions.outbox_relay.adapters.kafka_publisher import KafkaPublisher
from functions.outbox_relay.usecases.dead_letters import DeadLetters
from functions.outbox_relay.usecases.relay import Relay


class RelaySettings(Settings):
    relay_batch: int = 1000  # records a pass, at most


@cache
def relay() -> Relay:
    return Relay(database(), KafkaPublisher(kafka()), RelaySettings.from_environment().relay_batch)


@cache
def dead_letters() -> DeadLetters:
    return DeadLetters(database(), kafka())

"""What publishes the outbox."""

from functools import cache

from common.runtime.settings import Settings
from common.wiring.database import database
from functions.outbox_relay.adapters.kafka_publisher import KafkaPublisher
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.usecases.relay import Relay
from functions.outbox_relay.wiring.broker import broker_options


class RelaySettings(Settings):
    relay_batch: int = 1000  # the most rows that a pass reads


@cache
def relay() -> Relay:
    batch = RelaySettings.from_environment().relay_batch
    return Relay(OutboxRepository(database()), KafkaPublisher(broker_options()), batch)

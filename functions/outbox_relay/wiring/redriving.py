"""What finds dead letters and puts them back."""

from functools import cache

from common.wiring.database import database
from functions.outbox_relay.adapters.dead_letter_topics import DeadLetterTopics
from functions.outbox_relay.adapters.redrive_repository import RedriveRepository
from functions.outbox_relay.usecases.redrive import Redrive
from functions.outbox_relay.wiring.broker import broker_options


@cache
def redrive() -> Redrive:
    return Redrive(DeadLetterTopics(broker_options()), RedriveRepository(database()))

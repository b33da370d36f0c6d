"""The messages between services, over Kafka: one envelope, and one schema for each message, shared by both sides.

Consumers ignore unknown fields, and a version only gains optional ones, so either side may be deployed first. Any other
change is a new version: a consumer that does not know it does not guess but sends the message to its dead-letter topic,
to be put back once the consumer is deployed. The partition key is the reservation's id, or the event's for messages
about an event: messages about one reservation are consumed in the order in which it changed.
"""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import ConfigDict

from common.domain.ids import EventId, PaymentId, ReservationId, SeatId, UserId
from common.domain.model import Model, Moment

PAYMENT_EVENTS = "payment.events"
RESERVATION_EVENTS = "reservation.events"
EVENT_EVENTS = "event.events"
DEAD_LETTERS = {PAYMENT_EVENTS: "dlq.payment", RESERVATION_EVENTS: "dlq.reservation", EVENT_EVENTS: "dlq.reservation"}


class Metadata(Model):
    correlation_id: str  # the trace id of the request that started it all
    causation_id: UUID | None = None  # the message that led to this one
    user_id: UserId | None = None


class Envelope(Model):
    """`event_id` is the idempotency key: the same id is the same message, however often it is delivered."""

    event_id: UUID
    event_type: str
    aggregate_id: UUID
    aggregate_type: str
    version: str = "v1"
    timestamp: Moment
    metadata: Metadata
    payload: dict[str, Any]


class Payload(Model, ABC):
    """The content of an envelope; the class's name is the `event_type`."""

    model_config = ConfigDict(defer_build=True)  # a function uses one or two of them, and importing builds none

    topic: ClassVar[str]
    aggregate_type: ClassVar[str]
    version: ClassVar[str] = "v1"

    @property
    @abstractmethod
    def aggregate_id(self) -> UUID: ...

    @property
    @abstractmethod
    def partition_key(self) -> str: ...


PayloadT = TypeVar("PayloadT", bound=Payload)


class PaymentMessage(Payload):
    topic: ClassVar[str] = PAYMENT_EVENTS
    aggregate_type: ClassVar[str] = "Payment"
    payment_id: PaymentId
    reservation_id: ReservationId

    @property
    def aggregate_id(self) -> UUID:
        return self.payment_id

    @property
    def partition_key(self) -> str:
        return str(self.reservation_id)


class PaymentSuccess(PaymentMessage):
    payment_key: str
    amount: int
    paid_at: Moment
    portone_transaction_id: str | None = None


class PaymentFailed(PaymentMessage):
    payment_key: str
    amount: int
    failure_reason: str
    failed_at: Moment


class PaymentRefunded(PaymentMessage):
    amount: int
    reason: str
    refunded_at: Moment


class ReservationMessage(Payload):
    topic: ClassVar[str] = RESERVATION_EVENTS
    aggregate_type: ClassVar[str] = "Reservation"
    reservation_id: ReservationId
    event_id: EventId
    seat_ids: list[SeatId]

    @property
    def aggregate_id(self) -> UUID:
        return self.reservation_id

    @property
    def partition_key(self) -> str:
        return str(self.reservation_id)


class ReservationConfirmed(ReservationMessage):
    confirmed_at: Moment


class ReservationCancelled(ReservationMessage):
    cancelled_at: Moment
    reason: str
    refund_amount: int = 0


class EventMessage(Payload):
    topic: ClassVar[str] = EVENT_EVENTS
    aggregate_type: ClassVar[str] = "Event"
    event_id: EventId
    reason: str

    @property
    def aggregate_id(self) -> UUID:
        return self.event_id

    @property
    def partition_key(self) -> str:
        return str(self.event_id)


class EventCancelled(EventMessage):
    pass


class EventRescheduled(EventMessage):
    starts_at: Moment
    ends_at: Moment


class UnknownVersion(Exception):
    """A message of a version that this consumer does not know."""


def read(kind: type[PayloadT], message: Envelope) -> PayloadT:
    """The payload of a message of this kind. Raises UnknownVersion, or pydantic's ValidationError."""
    if message.version != kind.version:
        raise UnknownVersion(f"{message.event_type} {message.version} is not {kind.version}")
    return kind.model_validate(message.payload)


def envelope(
    payload: Payload, *, message_id: UUID, at: datetime, correlation_id: str, causation_id: UUID | None, user_id: UserId
) -> Envelope:
    return Envelope(
        event_id=message_id,
        event_type=type(payload).__name__,
        aggregate_id=payload.aggregate_id,
        aggregate_type=payload.aggregate_type,
        version=payload.version,
        timestamp=at,
        metadata=Metadata(correlation_id=correlation_id, causation_id=causation_id, user_id=user_id),
        payload=payload.to_dict(),
    )

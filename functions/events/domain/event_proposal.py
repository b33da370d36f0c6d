"""An event as an admin proposes it, and the check that it fits its hall (EVT-001)."""

from typing import Annotated

from pydantic import Field

from common.domain.ids import HallId, VenueId
from common.domain.limits import MAX_SEATS_PER_RESERVATION, MaxSeatsPer
from common.domain.model import Model, Whole
from common.domain.shared_errors import InvalidInput
from functions.events.domain.input_bounds import Date, Label, Price, Prose
from functions.events.domain.seat_template import Grade, SeatTemplate

AdmissionPerSecond = Annotated[Whole, Field(strict=True, ge=1, le=1000)]  # QUEUE-005
QueueCapacity = Annotated[Whole, Field(strict=True, ge=1, le=50_000)]  # QUEUE-010
MaxSeats = Annotated[Whole, Field(strict=True, ge=1, le=MAX_SEATS_PER_RESERVATION)]  # RSV-005
Prices = dict[Grade, Price]


class EventProposal(Model):
    title: Label
    artist: Label
    description: Prose = ""
    venue_id: VenueId
    hall_id: HallId
    starts_at: Date
    ends_at: Date
    sale_starts_at: Date
    sale_ends_at: Date
    prices: Prices
    admission_per_second: AdmissionPerSecond = 10
    queue_capacity: QueueCapacity = 50_000
    max_seats: MaxSeats = MAX_SEATS_PER_RESERVATION
    max_seats_per: MaxSeatsPer = "PERSON"

    def check(self, hall: SeatTemplate) -> None:
        """Raises InvalidInput with every fault: times out of order, a grade of the hall without a price, a price for a
        grade that the hall does not have."""
        faults = self._faults_of_time() | self._faults_of_price(hall)
        if faults:
            raise InvalidInput([{"field": field, "reason": reason} for field, reason in faults.items()])

    def _faults_of_time(self) -> dict[str, str]:
        faults = {}
        if self.ends_at <= self.starts_at:
            faults["endsAt"] = "must be after startsAt"
        if self.sale_ends_at <= self.sale_starts_at:
            faults["saleEndsAt"] = "must be after saleStartsAt"
        elif self.sale_ends_at > self.ends_at:
            faults["saleEndsAt"] = "must not be after endsAt"
        return faults

    def _faults_of_price(self, hall: SeatTemplate) -> dict[str, str]:
        missing = {
            f"prices.{grade}": "the hall has seats of this grade" for grade in hall.grades if grade not in self.prices
        }
        unknown = {f"prices.{grade}": "the hall has no such seats" for grade in self.prices if grade not in hall.grades}
        return missing | unknown

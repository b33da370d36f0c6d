"""A refund: money owed to a buyer from the moment a message says so until PortOne has given it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Refund:
    id: UUID  # of the message that asked for it
    payment_id: UUID
    amount: int  # won
    reason: str
    attempts: int = 0  # that failed

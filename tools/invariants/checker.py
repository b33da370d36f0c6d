"""Compares Postgres, Redis and the bank; every disagreement is a violation by name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import redis
from psycopg.rows import dict_row

SETTLING = timedelta(seconds=340 + 90)  # the hold, its guard, `settle_after`'s ten seconds, and a schedule's minute
TOLD_FOR = timedelta(days=6)  # published messages are deleted after seven days

_RULE = re.compile(r"^--: (.+?)\n(.+?;)$", re.MULTILINE | re.DOTALL)
_RULES = {
    name: re.sub(r"%(?!\()", "%%", query)  # only %(…)s is a parameter
    for name, query in _RULE.findall((Path(__file__).parent / "rules.sql").read_text(encoding="utf-8"))
}
_MONEY = """
SELECT p.id, p.status, p.amount, p.refunded_amount, r.status AS reservation, r.payment_id, r.refund_amount
  FROM payment_service.payments p LEFT JOIN reservation_service.reservations r ON r.id = p.reservation_id
"""
_LIVE = """
SELECT r.id, r.status, array_agg(s.seat_id) AS seats
  FROM reservation_service.reservations r JOIN reservation_service.reservation_seats s ON s.reservation_id = r.id
 WHERE r.status IN ('PENDING', 'CONFIRMED') GROUP BY r.id
"""

Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class BankPayment:
    """What PortOne took from a buyer and what it gave back, in won."""

    paid: int
    cancelled: int

    @property
    def kept(self) -> int:
        return self.paid - self.cancelled


@dataclass(frozen=True)
class Violation:
    rule: str  # with the number of architecture.md's invariant in front
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def connect(postgres_url: str) -> Connection:
    """A connection of a login that may read every schema."""
    return psycopg.connect(postgres_url, autocommit=True, row_factory=dict_row)


def rules() -> list[str]:
    """What is looked at, by name."""
    return [*_RULES, *_MONEY_RULES, *_REDIS_RULES]


def violations(
    postgres: Connection,
    cache: "redis.Redis",
    bank: Mapping[UUID, BankPayment],
    now: datetime,
    settling: timedelta = SETTLING,
) -> list[Violation]:
    """Everything that is not as it must be, once what runs has settled. `bank` is every payment PortOne knows."""
    return [*_in_postgres(postgres, now, settling), *_money(postgres, bank), *in_redis(postgres, cache, now)]


def _in_postgres(postgres: Connection, now: datetime, settling: timedelta) -> Iterator[Violation]:
    parameters = {"now": now, "settling": settling, "told_since": now - TOLD_FOR}
    for rule, query in _RULES.items():
        for row in postgres.execute(query, parameters):
            yield Violation(rule, next(iter(row.values())))


_STRAY, _NO_MONEY, _WRONG_SUM = _MONEY_RULES = (
    "2 money of an unknown payment",
    "2 a payment recorded as paid that the bank was never paid",
    "2 money kept that is not owed, or owed and not kept",
)


def _money(postgres: Connection, bank: Mapping[UUID, BankPayment]) -> Iterator[Violation]:
    known = {row["id"]: row for row in postgres.execute(_MONEY)}
    for payment_id, held in bank.items():
        if payment_id not in known and held.kept:
            yield Violation(_STRAY, f"payment {payment_id}: {held.kept} won")
    for payment_id, row in known.items():
        held = bank.get(payment_id, BankPayment(0, 0))
        paid = row["status"] in ("SUCCESS", "REFUNDED")
        if paid and held.paid != row["amount"]:
            yield Violation(_NO_MONEY, f"payment {payment_id}: {row['amount']} won, the bank took {held.paid}")
        # Both sides must agree: what the payment says was given back, and what its reservation says is due.
        due = {row["amount"] - row["refunded_amount"], row["amount"] - row["refund_amount"]} if paid else {0}
        if due != {held.kept}:
            yield Violation(_WRONG_SUM, f"payment {payment_id}: {held.kept} won kept, {sorted(due)} due")


_ORPHAN, _ENDLESS, _SHOWN, _TOKEN = _REDIS_RULES = (
    "7 a seat held in Redis by no live reservation",
    "7 a hold in Redis that never ends",
    "7 a seat shown as held by no live reservation",
    "6 a payment token that is not its own reservation's, or outlived it",
)


def in_redis(postgres: Connection, cache: "redis.Redis", now: datetime) -> Iterator[Violation]:
    """What is held or allowed in Redis and should not be."""
    live = {row["id"]: row for row in postgres.execute(_LIVE)}
    taken = {seat for row in live.values() for seat in row["seats"]}
    for key in map(str, cache.scan_iter("seat:hold:*", count=1000)):
        seat, holder = UUID(key.rsplit(":", 1)[1]), str(cache.get(key) or "")
        if holder and seat not in live.get(UUID(holder), {"seats": ()})["seats"]:
            yield Violation(_ORPHAN, f"seat {seat} by reservation {holder}")
        if cache.pttl(key) == -1:
            yield Violation(_ENDLESS, f"seat {seat}")
    for key in map(str, cache.scan_iter("hold_seats:*", count=1000)):
        for member in cache.zrangebyscore(key, f"({now.timestamp() * 1000:.0f}", "+inf"):
            if UUID(str(member)) not in taken:
                yield Violation(_SHOWN, f"seat {UUID(str(member))}")
    for key in map(str, cache.scan_iter("queue:token:*:qp:*", count=1000)):
        event, reservation = (UUID(part) for part in re.findall(r"[0-9a-f-]{36}", key))
        token = str(cache.get(key) or "")
        pending = live.get(reservation, {}).get("status") == "PENDING"
        if token and not (pending and token.startswith(f"qp_{event.hex}_{reservation.hex}_")):
            yield Violation(_TOKEN, f"reservation {reservation}")

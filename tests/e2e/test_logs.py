"""The functions' logs: a purchase can be followed by its trace id, and no secret is logged."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.log_search import SecretRecorder, find_leaks, log_lines, mailed_codes, stack_secrets
from tests.e2e.test_purchase import event, seats_of
from tools.demo.buyer import Api, Buyer, eventually

__all__ = ["event"]
pytestmark = pytest.mark.e2e

CALLED = {
    "QueueEnterFunction",
    "EventsSaleTermsFunction",
    "QueueStatusFunction",
    "ReservationsSeatMapFunction",
    "EventsSeatStatusFunction",
    "ReservationsHoldFunction",
    "EventsSeatCatalogueFunction",
    "PaymentsCreateFunction",
    "ReservationsPayableFunction",
    "PaymentsConfirmFunction",
}
CONSUMERS = {"ReservationsOnPaymentEventFunction", "EventsOnReservationEventFunction"}


@pytest.fixture
def logs(state_folder: Path) -> Path:
    if not (state_folder / "logs" / "functions.log").exists():
        pytest.skip("this stack keeps its logs elsewhere")
    return state_folder


def test_a_trace_id_is_in_every_response_and_every_log_of_a_purchase(
    public: Api, new_buyer: Callable[[], Buyer], event: dict[str, Any], logs: Path
) -> None:
    def missing(of: set[str], trace_id: str) -> set[str]:
        return of - {function for function, line in log_lines(logs) if trace_id in line}

    seats = iter(seats_of(public, event["id"]))
    trace_id = buy_traced(new_buyer(), event["id"], next(seats)["id"])
    eventually(lambda: missing(CALLED, trace_id), lambda left: not left)

    for seat in seats:
        try:
            eventually(partial(missing, CONSUMERS, trace_id), lambda left: not left, seconds=1)
        except TimeoutError:
            # PortOne's webhook was faster than the buyer's confirm, and finished the payment under its own trace id.
            trace_id = buy_traced(new_buyer(), event["id"], seat["id"])
        else:
            return
    pytest.fail("the webhook was faster every time")


def buy_traced(buyer: Buyer, event_id: str, seat_id: str) -> str:
    trace_id, answered = str(uuid4()), set[str]()
    buyer.api.client.headers["X-Trace-Id"] = trace_id
    buyer.api.client.event_hooks["response"] = [lambda answer: answered.add(answer.headers["x-trace-id"])]
    buyer.enter(event_id)
    buyer.wait_for_admission(event_id)
    buyer.seat_map(event_id)
    held = buyer.hold(event_id, [seat_id])
    payment = buyer.create_payment(held["reservationId"])
    buyer.confirm(payment["paymentId"], buyer.pay(payment["paymentId"], "AUTHORIZED")["paymentToken"])
    buyer.wait_for_status(held["reservationId"], "CONFIRMED")
    assert answered == {trace_id}
    return trace_id


@pytest.mark.last_of_all
def test_no_secret_of_the_whole_run_is_in_any_functions_log(
    stack: dict[str, Any], logs: Path, secret_recorder: SecretRecorder, new_buyer: Callable[[], Buyer]
) -> None:
    buyer = new_buyer()  # so that there are secrets even if this test runs alone
    own, lines = stack_secrets(logs), log_lines(logs)
    secrets = own | secret_recorder.secrets | mailed_codes(stack["aws"])
    assert {buyer.email, buyer.password, buyer.refresh_token} <= secrets
    assert len(own) > 15

    leaks = find_leaks(lines, secrets)

    print(f"{len(lines)} log lines searched for {len(secrets)} secrets")
    assert not leaks, f"of {len(lines)} lines and {len(secrets)} secrets: {leaks}"


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        ("seoul-12345-1", '{"message":"wrong password seoul-12345-1"}'),
        ("김하늘", '{"name":"\\uae40\\ud558\\ub298"}'),
        ("123456", '{"code":"123456"}'),
        ("eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl", "signature c2lnbmF0dXJl"),
        ("-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\n-----END", '{"key":"-----BEGIN KEY-----\\nMC4CAQAwBQYDK2Vw"}'),
        ("someone@example.com", "no row for someone@example.com."),
    ],
)  # fmt: skip
def test_the_search_finds_a_planted_secret(secret: str, line: str) -> None:
    assert find_leaks([("F", '{"message":"request"}'), ("F", line)], {secret, "another-secret"})
    assert not find_leaks([("F", line)], {"another-secret"})


def test_six_digits_of_a_time_are_not_a_code() -> None:
    assert not find_leaks([("F", '{"Duration":1.123456,"_aws":{"Timestamp":1795123456000}}')], {"123456"})

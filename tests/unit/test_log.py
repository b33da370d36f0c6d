"""Secrets and personal data that get into a log call by accident are masked."""

import io
import json
import logging

import pytest

from common.runtime.log import _Masking, log, mask, service, write

JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
TOKEN = "qr_" + "0" * 32 + "_" + "a" * 32 + "_" + "Zx-_" * 8
HASH = "$2b$11$" + "abcDEF./12" * 5 + "xyz"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"token {JWT} was rejected", "token *** was rejected"),
        (f"for {TOKEN}.", "for qr_***."),
        (
            "DETAIL:  Key (email)=(fan+seoul@example.co.kr) already exists.",
            "DETAIL:  Key (email)=(***) already exists.",
        ),
        ("call 010-1234-5678 or 01012345678 or +82 10 1234 5678", "call *** or *** or ***"),
        (f"hash {HASH}", "hash ***"),
        ("signed with whsec_c2FuZGJveC1wb3J0b25l", "signed with ***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("Authorization: PortOne sandbox-secret", "Authorization: PortOne ***"),
        ("host=db user=auth password=hunter2 dbname=x", "host=db user=auth password=*** dbname=x"),
        ("postgresql://auth:hunter2@db:5432/x", "postgresql://***@db:5432/x"),
    ],
)
def test_secrets_and_personal_data_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "01900000-0000-7000-8000-010123456789",
        "A-1-1",
        "2026-05-01T11:00:00.123456Z",
        "amount 1012345678",
        "GET /reservations/seats/{eventId}",
        "reservation 0190f3c2-1111-7abc-8def-010012345678 confirmed",
        "the password is wrong",
    ],
)
def test_ids_times_and_words_are_left_as_they_are(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        ("functions.queue.enter.handler", "queue"),
        ("functions.outbox_relay.handlers.publish.handler", "outbox_relay"),
        ("migrations.on_deploy.handler", None),
        ("", None),
    ],
)
def test_a_log_record_names_the_service_of_the_functions_handler(
    handler: str, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_HANDLER", handler)
    assert service() == name


def test_a_log_record_with_a_traceback_is_masked_and_still_json() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Masking(utc=True))
    logger = logging.Logger("test")
    logger.addHandler(handler)

    try:
        raise ValueError(f'no "account" of fan@example.com\nwith {JWT}')
    except ValueError:
        logger.exception("unhandled", extra={"headers": {"authorization": f"Bearer {JWT}"}})

    line = json.loads(stream.getvalue())
    assert "ValueError" in line["exception"]
    assert "fan@example.com" not in stream.getvalue()
    assert JWT not in stream.getvalue()


def test_a_metrics_record_is_written_at_any_level_with_the_loggers_keys_and_masked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = log.log_level
    log.setLevel("CRITICAL")
    log.append_keys(trace_id="t-1")
    try:
        write("request", path=f"/x/{TOKEN}/\ud800", status=200, nothing=None)
    finally:
        log.setLevel(before)
        log.clear_state()

    line = json.loads(capsys.readouterr().out)
    assert line.pop("timestamp").endswith("+00:00")
    assert line.items() >= {"level": "INFO", "message": "request", "trace_id": "t-1", "status": 200}.items()
    assert line["path"] == "/x/qr_***/\ud800"
    assert not line.keys() & {"location", "nothing"}

"""Which address and browser a request counts as coming from (AUTH-021)."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.http.request import Request
from functions.auth.domain.caller import USER_AGENT_MAX, Caller

SAMPLE = Path(__file__).parents[2] / "events" / "log_in.json"


def caller(source_ip: Any = "203.0.113.7", **headers: str) -> Caller:
    event = json.loads(SAMPLE.read_text(encoding="utf-8"))
    event["requestContext"]["identity"]["sourceIp"] = source_ip
    event["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request.of(event)
    return Caller.of(request.source_ip, request.headers)


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.255", "203.0.113.0/24"),
        ("2001:db8:aa:bb01::1", "2001:db8:aa:bb00::/56"),
        ("2001:db8:aa:bbff:1:2:3:4", "2001:db8:aa:bb00::/56"),
        ("2001:db8:aa:cc00::1", "2001:db8:aa:cc00::/56"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/56"),
        ("test-invoke-source-ip", "test-invoke-source-ip"),  # what API Gateway's console sends
        ("", ""),
        (None, "None"),
    ],
)
def test_an_address_counts_as_its_network(ip: Any, network: str) -> None:
    assert caller(ip).network == network


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded", "True_Client_IP", "CF_Connecting_IP"])
def test_no_header_says_where_a_request_comes_from(header: str) -> None:
    assert caller(**{header: "198.51.100.9"}).ip == "203.0.113.7"


def test_a_user_agent_is_cut_and_always_valid_in_json() -> None:
    assert caller().user_agent == ""
    assert caller(User_Agent="a" * 5000).user_agent == "a" * USER_AGENT_MAX
    assert caller(User_Agent="\ud800").user_agent == "?"
    assert caller(User_Agent='"<b>\x00').user_agent == '"<b>\x00'

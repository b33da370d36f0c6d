"""Which traits add to the bot score, and which action a score leads to."""

from dataclasses import replace
from itertools import accumulate

import pytest

from common.protection.bot_score import Action, RequestTraits, is_fingerprint, is_regular, judge

PERSON = RequestTraits(
    has_fingerprint=True, from_cloud=False, device_accounts=1, address_accounts=1, calls=[0.0, 9.1, 11.3, 40.2]
)
TOO_FAST = (0.0, 1.0)
REGULAR = [5.0 * i for i in range(8)]


@pytest.mark.parametrize(
    ("seen", "layers", "action"),
    [
        (PERSON, {}, "NONE"),
        (replace(PERSON, has_fingerprint=False), {"fingerprint": 10}, "NONE"),
        (replace(PERSON, device_accounts=3), {}, "NONE"),
        (replace(PERSON, device_accounts=4), {"device": 30}, "NONE"),
        (replace(PERSON, device_accounts=4, calls=TOO_FAST), {"device": 30}, "SLOWER"),
        (replace(PERSON, device_accounts=6), {"device": 50}, "CAPTCHA"),
        (replace(PERSON, device_accounts=12), {"device": 80}, "REFUSED"),
        (replace(PERSON, address_accounts=5_000, calls=TOO_FAST), {"address": 25}, "NONE"),
        (replace(PERSON, from_cloud=True, calls=TOO_FAST), {"cloud": 30}, "SLOWER"),
        (replace(PERSON, calls=REGULAR), {"timing": 40}, "NONE"),
        (replace(PERSON, calls=REGULAR, from_cloud=True), {"timing": 40, "cloud": 30}, "CAPTCHA"),
        (
            replace(PERSON, calls=REGULAR, from_cloud=True, has_fingerprint=False),
            {"timing": 40, "cloud": 30, "fingerprint": 10},
            "REFUSED",
        ),
    ],
)
def test_layers_add_up_to_an_action(seen: RequestTraits, layers: dict[str, int], action: Action) -> None:
    verdict = judge(seen)
    assert (verdict.layers, verdict.action) == (layers, action)


def test_a_caller_that_slows_down_is_served() -> None:
    assert judge(replace(PERSON, from_cloud=True, calls=[0.0, 2.9])).action == "SLOWER"
    assert judge(replace(PERSON, from_cloud=True, calls=[0.0, 3.1])).action == "NONE"


@pytest.mark.parametrize(
    ("pauses", "regular"),
    [
        ([1.0] * 7, True),
        ([1.01, 0.97, 1.04, 1.0, 0.95, 1.02, 1.03], True),  # a loop over a network with jitter
        ([0.0] * 7, True),  # all at once
        ([1.0] * 6, False),  # too few to judge
        ([4.0, 2.5, 9.0, 3.1, 6.6, 2.0, 12.0], False),
        ([3.0, 3.4, 2.6, 3.8, 2.2, 3.1, 3.3], False),  # a person at a steady pace
    ],
)
def test_regular_pauses_are_those_of_a_machine(pauses: list[float], regular: bool) -> None:
    assert is_regular(list(accumulate(pauses, initial=1_800_000_000.0))) is regular


def test_the_order_of_the_calls_does_not_matter() -> None:
    assert is_regular(REGULAR[::-1])


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (None, False),
        ("", False),
        ("short", False),
        ("a" * 129, False),
        ("x" * 32 + "\n", False),
        ("가" * 20, False),
        ("{device}:1234567890123", False),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", True),
        ("d41d8cd98f00b204e9800998ecf8427e", True),
    ],
)
def test_a_fingerprint_has_a_format(header: str | None, good: bool) -> None:
    assert is_fingerprint(header) is good

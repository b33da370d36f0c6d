"""The suite itself: a check that cannot fail would make the table worthless."""

from dataclasses import replace
from typing import Any

import pytest

from emulator.ports import HOST, free_port
from tools.conformance.behaviour import Behaviour, Differs, expect
from tools.conformance.behaviours import CATALOGUE
from tools.conformance.call_recorder import CallRecorder
from tools.conformance.emulator_client import Address, EmulatorClient
from tools.conformance.report import render
from tools.conformance.suite import Outcome, ask


@pytest.fixture
def client():
    """An emulator that is not there."""
    recorder = CallRecorder([HOST])
    nowhere = Address(HOST, free_port())
    yield EmulatorClient("nobody", nowhere, nowhere, recorder, lacks=frozenset({"schedules"}))
    recorder.close()


def _behaviour(check: Any, **more: Any) -> Behaviour:
    return Behaviour("Area", "a | b", "proxy", check, **more)


@pytest.mark.parametrize("behaviour", [one for one in CATALOGUE if one.feature is None], ids=lambda one: one.name)
def test_no_check_is_content_with_an_emulator_that_does_not_answer(
    client: EmulatorClient, behaviour: Behaviour
) -> None:
    if behaviour.slow:
        behaviour = replace(behaviour, check=behaviour.begin or behaviour.check)
    (outcome,) = ask(client, [behaviour]).values()
    assert outcome.verdict == "differs"


def test_an_answer_that_differs_stands_in_the_outcome(client: EmulatorClient) -> None:
    def check(client: EmulatorClient) -> None:
        expect(1, 2, "the count is")

    (outcome,) = ask(client, [_behaviour(check)]).values()
    assert outcome == Outcome("differs", "the count is 1")


def test_an_answer_of_another_shape_differs(client: EmulatorClient) -> None:
    def check(client: EmulatorClient) -> None:
        _ = client.functions["absent"]

    (outcome,) = ask(client, [_behaviour(check)]).values()
    assert outcome.verdict == "differs"


def test_a_feature_the_emulator_lacks_is_not_asked_for(client: EmulatorClient) -> None:
    def check(client: EmulatorClient) -> None:
        raise Differs("asked all the same")

    (outcome,) = ask(client, [_behaviour(check, feature="schedules")]).values()
    assert outcome == Outcome("not offered")


def test_what_takes_long_is_begun_first_and_looked_at_last(client: EmulatorClient) -> None:
    order = []
    late = _behaviour(lambda client: order.append("late"), begin=lambda client: order.append("begun"))
    early = Behaviour("Area", "c", "proxy", _early(order))
    ask(client, [late, early])
    assert order == ["begun", "early", "late"]


def _early(order):
    def early(client: EmulatorClient) -> None:
        order.append("early")

    return early


def test_the_page_says_what_was_answered_and_why_an_emulator_did_not_start() -> None:
    def check(client: EmulatorClient) -> None:
        pass

    one = _behaviour(check)
    page = render([one], [("ours", {one.name: Outcome("differs", "200 <b> | c")}), ("theirs", "no engine")])
    assert "| a \\| b ([proxy]) | ✗ 200 &lt;b> \\| c | did not start |" in page
    assert "theirs did not start: no engine" in page

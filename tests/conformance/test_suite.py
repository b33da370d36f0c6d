"""The suite itself: a check that cannot fail would make the table worthless."""

from dataclasses import replace
from typing import Any

import pytest

from emulator.ports import HOST, free_port
from tools.conformance.behaviour import Behaviour, Differs, expect
from tools.conformance.behaviours import CATALOGUE
from tools.conformance.report import render
from tools.conformance.stand import Address, Stand
from tools.conformance.suite import Outcome, ask
from tools.conformance.witness import Witness


@pytest.fixture
def stand():
    """An emulator that is not there."""
    witness = Witness([HOST])
    nowhere = Address(HOST, free_port())
    yield Stand("nobody", nowhere, nowhere, witness, lacks=frozenset({"schedules"}))
    witness.close()


def _behaviour(check: Any, **more: Any) -> Behaviour:
    return Behaviour("Area", "a | b", "proxy", check, **more)


@pytest.mark.parametrize("behaviour", [one for one in CATALOGUE if one.feature is None], ids=lambda one: one.name)
def test_no_check_is_content_with_an_emulator_that_does_not_answer(stand: Stand, behaviour: Behaviour) -> None:
    if behaviour.slow:
        behaviour = replace(behaviour, check=behaviour.begin or behaviour.check)
    (outcome,) = ask(stand, [behaviour]).values()
    assert outcome.verdict == "differs"


def test_an_answer_that_differs_stands_in_the_outcome(stand: Stand) -> None:
    def check(stand: Stand) -> None:
        expect(1, 2, "the count is")

    (outcome,) = ask(stand, [_behaviour(check)]).values()
    assert outcome == Outcome("differs", "the count is 1")


def test_an_answer_of_another_shape_differs(stand: Stand) -> None:
    def check(stand: Stand) -> None:
        _ = stand.functions["absent"]

    (outcome,) = ask(stand, [_behaviour(check)]).values()
    assert outcome.verdict == "differs"


def test_a_feature_the_emulator_lacks_is_not_asked_for(stand: Stand) -> None:
    def check(stand: Stand) -> None:
        raise Differs("asked all the same")

    (outcome,) = ask(stand, [_behaviour(check, feature="schedules")]).values()
    assert outcome == Outcome("not offered")


def test_what_takes_long_is_begun_first_and_looked_at_last(stand: Stand) -> None:
    order = []
    late = _behaviour(lambda stand: order.append("late"), begin=lambda stand: order.append("begun"))
    early = Behaviour("Area", "c", "proxy", _early(order))
    ask(stand, [late, early])
    assert order == ["begun", "early", "late"]


def _early(order):
    def early(stand: Stand) -> None:
        order.append("early")

    return early


def test_the_page_says_what_was_answered_and_why_an_emulator_did_not_start() -> None:
    def check(stand: Stand) -> None:
        pass

    one = _behaviour(check)
    page = render([one], [("ours", {one.name: Outcome("differs", "200 <b> | c")}), ("theirs", "no engine")])
    assert "| a \\| b ([proxy]) | ✗ 200 &lt;b> \\| c | did not start |" in page
    assert "theirs did not start: no engine" in page

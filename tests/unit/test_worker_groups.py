"""A worker of pytest-xdist runs whole files, and every test of one stack."""

from pathlib import Path

import pytest

from tests.support.worker_groups import OPEN_STACK, STACK, group_of

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
RECORDS_ITS_WORKER = """
import os, pytest

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    with open(__file__ + ".ran", "a") as ran:
        print(os.environ["PYTEST_XDIST_WORKER"], file=ran)
"""


@pytest.mark.starts_processes
def test_the_tests_of_a_file_run_on_one_worker(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT}/layers/common/python")
    pytester.makeconftest("from tests.conftest import pytest_xdist_make_scheduler")
    names = [f"test_{letter}" for letter in "abcd"]
    pytester.makepyfile(**dict.fromkeys(names, RECORDS_ITS_WORKER))
    pytester.runpytest_subprocess("-p", "no:randomly", "-n", "2", timeout=110).assert_outcomes(passed=24)
    ran = [(pytester.path / f"{name}.py.ran").read_text(encoding="utf-8").split() for name in names]
    assert [len(set(workers)) for workers in ran] == [1, 1, 1, 1]
    assert {worker for workers in ran for worker in workers} == {"gw0", "gw1"}


def test_an_e2e_file_belongs_to_the_stack_that_it_uses() -> None:
    assert group_of("tests/e2e/test_hostile_requests.py::test_a[x::y]") == OPEN_STACK
    assert group_of("tests/e2e/test_purchase.py::test_a") == STACK
    assert group_of("tests/unit/test_endpoint.py::test_a") != group_of("tests/unit/test_log.py::test_a")


def test_conformance_tests_of_one_emulator_belong_together() -> None:
    forked = group_of("tests/conformance/test_gateway.py::test_a[forked]")
    assert forked == group_of("tests/conformance/test_triggers.py::test_b[forked]")
    assert forked != group_of("tests/conformance/test_gateway.py::test_a[http]")

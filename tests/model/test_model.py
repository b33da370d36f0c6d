"""After any operations under any faults, seats and payments are consistent."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tools.simulation.model.machine import machine
from tools.simulation.model.search_settings import RUN
from tools.simulation.model.world import Stores


@pytest.mark.timeout(600)
def test_seats_and_payments_stay_consistent_under_any_fault(stores: Stores) -> None:
    # Other random sequences in every run, as many as fit into a short one; `make model MINUTES=60` runs more. A failure
    # prints a blob that reproduces it.
    run_state_machine_as_test(machine(stores), settings=settings(RUN, max_examples=40))
    assert stores.stats.steps > 600
    assert stores.stats.tickets > 0
    assert stores.stats.faults.total() > 100
    assert {"Postgres", "Redis"} <= {fault.partition(":")[0] for fault in stores.stats.faults}

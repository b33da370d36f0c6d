"""A short drill: published if and only if committed, in order, applied once, whatever is killed meanwhile."""

import os
import shutil
from pathlib import Path

import pytest

from tools.simulation.chaos.drill import Drill


@pytest.mark.timeout(400)
def test_killed_relays_consumers_and_postgres_cost_no_message_no_order_and_no_second_effect(tmp_path: Path) -> None:
    report = Drill(tmp_path, three_brokers=False, a_second=50).run(12)
    assert report.sound, report.table()


@pytest.mark.timeout(600)
@pytest.mark.skipif(
    os.environ.get("EMULATOR_KAFKA") != "apache" or not (shutil.which("java") and shutil.which("mvn")),
    reason="three brokers are Apache Kafka's: make test-apache, with Java and Maven",
)
def test_killing_brokers_too_changes_nothing_of_that(tmp_path: Path) -> None:
    report = Drill(tmp_path, three_brokers=True, a_second=50).run(40)
    assert report.sound, report.table()

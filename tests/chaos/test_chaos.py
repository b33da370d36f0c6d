"""A short chaos run: under kills, messages are published if and only if committed, in order, and applied once."""

import os
import shutil
from pathlib import Path

import pytest

from tools.simulation.chaos.chaos_run import ChaosRun


@pytest.mark.timeout(400)
def test_killing_relays_consumers_and_postgres_loses_and_repeats_no_message_and_keeps_the_order(tmp_path: Path) -> None:
    report = ChaosRun(tmp_path, three_brokers=False, a_second=50).run(12)
    assert report.passed, report.table()


@pytest.mark.timeout(600)
@pytest.mark.skipif(
    os.environ.get("EMULATOR_KAFKA") != "apache" or not (shutil.which("java") and shutil.which("mvn")),
    reason="three brokers need Apache Kafka: make test-apache, with Java and Maven",
)
def test_killing_brokers_as_well_loses_and_repeats_no_message_and_keeps_the_order(tmp_path: Path) -> None:
    report = ChaosRun(tmp_path, three_brokers=True, a_second=50).run(40)
    assert report.passed, report.table()

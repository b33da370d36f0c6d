"""The jars of Apache Kafka are fetched once for a user, by whichever process is first."""

from functools import partial
from pathlib import Path

import pytest

from emulator.services import apache_kafka
from tests.support.concurrently import concurrently


def test_processes_that_fetch_at_the_same_time_leave_one_whole_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(apache_kafka, "_run", lambda command: Path(command[4], "kafka.jar").touch())
    assert concurrently([partial(apache_kafka._fetch)] * 4) == [None] * 4
    (jars,) = (tmp_path / "emulator").iterdir()
    assert (jars / "kafka.jar").exists()

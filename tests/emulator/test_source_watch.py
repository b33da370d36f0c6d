"""What counts as a change of the packages that a fork server has loaded."""

import os
from pathlib import Path

import pytest

from emulator.source_watch import SourceWatch


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    for name in ("one-1.0.dist-info", "two-1.0.dist-info", "one"):
        (tmp_path / name).mkdir()
    return tmp_path


def signature(packages: Path) -> tuple[int, int]:
    return SourceWatch().folders_signature([], [packages])


def test_bytecode_is_not_a_change_of_a_package(packages: Path) -> None:
    before = signature(packages)
    (packages / "__pycache__").mkdir()
    (packages / "__pycache__" / "six.cpython-313.pyc").touch()
    assert signature(packages) == before


def test_a_package_that_is_added_removed_or_installed_again_is_a_change(packages: Path) -> None:
    seen = [signature(packages)]
    (packages / "two-1.0.dist-info").rmdir()
    seen.append(signature(packages))
    (packages / "two-1.1.dist-info").mkdir()
    seen.append(signature(packages))
    os.utime(packages / "one-1.0.dist-info", ns=(1, 1))
    seen.append(signature(packages))
    assert len(set(seen)) == 4


def test_an_older_file_in_the_place_of_another_is_a_change(tmp_path: Path) -> None:
    for name in ("kept.py", "replaced.py"):
        (tmp_path / name).touch()
    before = SourceWatch().folders_signature([tmp_path], [])
    os.utime(tmp_path / "replaced.py", ns=(1, 1))  # as `mv`, `cp -p` and `tar x` leave it
    assert SourceWatch().folders_signature([tmp_path], []) != before

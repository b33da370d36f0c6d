"""What prevents the installation is reported in one line before anything is downloaded."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

PREFLIGHT = Path(__file__).parents[2] / "requirements" / "preflight.py"


@pytest.mark.parametrize(
    ("name", "is_so", "words"),
    [
        ("sysconfig.get_config_var", lambda _: ".cpython-313-x86_64-linux-musl.so", "use a system with glibc"),
        ("importlib.util.find_spec", lambda _: None, "apt install python3-venv"),
        ("shutil.disk_usage", lambda _: SimpleNamespace(free=799 << 20), "its disk has 799 MB left"),
    ],
)
def test_each_obstacle_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, is_so: Callable[[object], object], words: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(name, is_so)
        line = runpy.run_path(str(PREFLIGHT))["obstacle"]()

    assert line
    assert words in line
    assert "\n" not in line


def test_a_machine_without_obstacles_passes_in_silence() -> None:
    done = subprocess.run(
        [sys.executable, str(PREFLIGHT)], capture_output=True, text=True, check=False, timeout=30, cwd=PREFLIGHT.parent
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

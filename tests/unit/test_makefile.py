"""`make` says what it does not understand."""

import shutil
import subprocess

import pytest

from tools.handlers import ROOT

pytestmark = pytest.mark.starts_processes


def make(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([str(shutil.which("make")), *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_variable_that_no_target_takes_is_an_error() -> None:
    code, text = make("--dry-run", "up", "HoldSeconds=5")
    assert code != 0
    assert 'make up ARGS="--parameter-overrides HoldSeconds=5"' in text


def test_invoke_without_a_function_shows_its_usage() -> None:
    code, text = make("invoke")
    assert code != 0
    assert "usage: make invoke FUNCTION=" in text

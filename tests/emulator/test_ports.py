"""Ports that several emulators of one machine choose at the same time."""

import subprocess
import sys

from emulator.ports import free_port, release_claim
from tests.support.child_process import Child


def test_a_port_that_another_emulator_has_chosen_is_not_chosen_again_until_that_one_ends() -> None:
    port = free_port()
    release_claim(port)
    choose = f"from emulator.ports import free_port; print(free_port({port}), flush=True); input()"
    with Child([sys.executable, "-c", choose], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.line() == f"{port}\n"
        assert free_port(port) != port
    assert free_port(port) == port

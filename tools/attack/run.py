"""One attack: a role, a seed and a number of calls."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.demo.buyer import Buyer, log_in

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tools" / "attack" / "schemathesis.toml"
Role = Literal["anonymous", "user", "admin"]
ROLES: tuple[Role, ...] = ("anonymous", "user", "admin")
SESSIONS = 6
# The same for every role, and each call costs a password hash: only the anonymous role calls them.
ANONYMOUS_ONLY = ("log_in", "register_account", "reset_password", "refresh_tokens", "finish_oauth")


@dataclass(frozen=True)
class Attack:
    role: Role
    seed: int
    calls: int
    failures: int
    seconds: float
    output: str  # of schemathesis: each failure with the call that repeats it


def attack(
    api: str, sandbox: str, role: Role, *, seed: int, examples: int, phases: Sequence[str], seconds: int = 900
) -> Attack:
    """Raises TimeoutExpired after `seconds`; RuntimeError if schemathesis itself stopped before the end."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}"]
        command += [
            "run",
            f"{api}/openapi.json",
            f"--url={api}",
            f"--seed={seed}",
            f"--max-examples={examples}",
            "--no-color",
        ]
        command += [f"--phases={','.join(phases)}", "--report=json", f"--report-json-path={report}"]
        if role != "anonymous":
            command += [f"--exclude-operation-id={name}" for name in ANONYMOUS_ONLY]
        environment = {**os.environ, "ATTACK_TOKENS": json.dumps(_tokens(api, sandbox, role)), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
        if not found.get("complete") or found["test_cases"]["errored"]:
            raise RuntimeError(done.stdout[-8000:])
        return Attack(
            role,
            seed,
            found["test_cases"]["generated"],
            found["test_cases"]["unique_failures"],
            found["running_time"],
            done.stdout,
        )


def _tokens(api: str, sandbox: str, role: Role) -> list[str]:
    """Access tokens of several sessions of one account; none for the anonymous role."""
    if role == "anonymous":
        return []
    if role == "admin":
        email, password = "admin@example.com", "local-admin-1234"
    else:
        buyer = Buyer(api, sandbox)
        buyer.register()
        email, password = buyer.email, buyer.password
    sessions = (log_in(api, email, password) for _ in range(SESSIONS))
    return [each.client.headers["Authorization"].removeprefix("Bearer ") for each in sessions]

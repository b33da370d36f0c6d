"""A TypeScript client that is generated from the OpenAPI document compiles in strict mode."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.openapi.document import PATH

CLIENT = Path(__file__).parents[1] / "typescript"

pytestmark = [
    pytest.mark.starts_processes,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs node and npm"),
]


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def compiled(folder: Path, file: str) -> subprocess.CompletedProcess[str]:
    options = (
        "--noEmit",
        "--strict",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--target",
        "es2022",
        "--lib",
        "es2022,dom",
    )
    return run("node_modules/.bin/tsc", *options, file, folder=folder)


def test_a_generated_client_narrows_on_status_and_compiles_in_strict_mode(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", "client.ts", "mistake.ts"):
        shutil.copy(CLIENT / name, tmp_path)
    installed = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=tmp_path)
    if installed.returncode and "network" in installed.stderr:
        pytest.skip("the npm registry cannot be reached")
    assert installed.returncode == 0, installed.stderr
    generated = run("node_modules/.bin/openapi-typescript", str(PATH), "-o", "api.d.ts", folder=tmp_path)
    assert generated.returncode == 0, generated.stderr

    client = compiled(tmp_path, "client.ts")
    assert client.returncode == 0, client.stdout
    mistake = compiled(tmp_path, "mistake.ts")
    assert "Property 'token' does not exist on type" in mistake.stdout

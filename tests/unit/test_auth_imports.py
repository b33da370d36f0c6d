"""A function loads what it uses: the authorizer stands before every call, so its cold start is everybody's."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The hasher rather than bcrypt: cryptography, which PyJWT needs, imports bcrypt wherever it is installed.
HASHER = "functions.auth.password_hasher"
HEAVY = {"psycopg", "redis", "httpx", "jwt", "boto3", "kafka", HASHER}


@pytest.mark.parametrize(
    ("function", "uses"),
    [
        ("authorizer", {"redis", "jwt"}),
        ("jwks", set()),
        ("register", {"psycopg", "redis", "httpx", HASHER, "jwt"}),
        ("login", {"psycopg", "redis", "httpx", HASHER, "jwt"}),
        ("refresh", {"psycopg", "redis", "jwt"}),
        ("logout", {"psycopg", "redis"}),
        ("me", {"psycopg", "redis", "jwt"}),
        ("logins", {"psycopg", "redis", "jwt"}),
        ("me_edit", {"psycopg", "redis", "jwt"}),
        ("withdraw", {"psycopg", "redis", HASHER}),
        ("password_change", {"psycopg", "redis", HASHER}),
        ("password_reset", {"psycopg", "redis", "httpx", HASHER, "jwt"}),
        ("retire_accounts", {"psycopg"}),
        ("oauth_start", {"redis", "httpx"}),
        ("oauth_callback", {"psycopg", "redis", "httpx", "jwt"}),
        ("oauth_link", {"psycopg", "redis"}),
        ("email_code_send", {"psycopg", "redis", "jwt"}),
        ("email_code_confirm", {"psycopg", "redis", "jwt"}),
    ],
)
def test_a_function_loads_only_what_it_uses(function: str, uses: set[str]) -> None:
    program = f"import sys, functions.auth.{function}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'layers/common/python'}", "POWERTOOLS_SERVICE_NAME": "auth"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert HEAVY.intersection(loaded) == uses

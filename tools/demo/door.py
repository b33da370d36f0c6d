"""Checks tickets at the door without a network: `python -m tools.demo.door KEYS TICKET…`.

KEYS is the file of `GET /.well-known/ticket-keys.json`, fetched before the event; a TICKET is the text of a QR code.
Prints the number, event and seats of each. The exit code is 1 if a ticket is not valid.
"""

import json
import sys
from pathlib import Path
from typing import Any

import jwt


def check(keys: dict[str, Any], ticket: str) -> dict[str, Any]:
    """The ticket's number, event and seats. Raises `jwt.InvalidTokenError`, or `LookupError` if its key is unknown."""
    kid = jwt.get_unverified_header(ticket).get("kid")
    key = next((key for key in keys["keys"] if key["kid"] == kid), None)
    if key is None:
        raise LookupError(f"unknown key: {kid}")
    found: dict[str, Any] = jwt.decode(ticket, jwt.PyJWK(key), algorithms=["EdDSA"])
    return found


def main() -> int:
    keys = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    code = 0
    for ticket in sys.argv[2:]:
        try:
            print(json.dumps(check(keys, ticket), ensure_ascii=False))
        except (jwt.InvalidTokenError, LookupError) as error:
            print(f"not a valid ticket: {error}")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())

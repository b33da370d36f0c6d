"""Gives access tokens a new signing key, in the four steps of Secrets Manager's rotation.

    {"Step": "createSecret", "SecretId": …, "ClientRequestToken": …}   one step, from Secrets Manager
    {}                                                                 all four, by hand
    {"leaked": true}                                                   all four, twice: no earlier key verifies

Users stay logged in, except after a leak, when clients must use their refresh tokens.
"""

from collections.abc import Mapping
from typing import Any

from common.runtime.log import log
from functions.auth.wiring.signing_key_rotation import signing_key_rotation


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, list[str]]:
    log.clear_state()
    if event.get("leaked"):
        for _ in range(2):  # a person who has read the secret has the next key too
            signing_key_rotation(leaked=True).rotate()
    else:
        signing_key_rotation().run(event)
    return signing_key_rotation().state()

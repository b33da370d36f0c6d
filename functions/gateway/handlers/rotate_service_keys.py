"""Secrets Manager's rotation of `service-keys` (INT-009).

{"Step": "createSecret", "SecretId": …, "ClientRequestToken": …}   one step, from Secrets Manager
{}                                                                 all four steps, by hand
"""

from typing import Any

from common.runtime.log import log
from functions.gateway.wiring import rotation


def handler(event: dict[str, Any], _context: Any) -> None:
    log.clear_state()
    rotation.service_key_rotation().run(event)

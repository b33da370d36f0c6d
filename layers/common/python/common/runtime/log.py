"""The one logger: JSON records with the trace id, into CloudWatch (GW-011).

Log what happened and to which ids; never a body, a header or a token. What gets in nevertheless, mostly in the text of
an exception, is masked on its way out by its form.
"""

import json
import os
import re
import sys
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from pydantic_core import PydanticSerializationError, to_json

MASK = "***"
# A text that must be in the record for a pattern to be worth a search (all of them cost as much as writing the record),
# and the pattern, whose group stays readable.
_SENSITIVE = tuple(
    (trigger, re.compile(pattern, re.ASCII))
    for trigger, pattern in (
        ("eyJ", r"eyJ[\w-]{10,}(?:\.[\w-]+)*()"),  # JWT
        ("qr_", r"\b(qr_)[0-9a-f]{32}_[0-9a-f]{32}_[\w-]{32}"),  # queue tokens
        ("qp_", r"\b(qp_)[0-9a-f]{32}_[0-9a-f]{32}_[\w-]{32}"),
        ("://", r"(://)[^\s/:@\"]+:[^\s/@\"]+(?=@)"),  # user:password@ of a URL
        ("@", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+()"),  # e-mail address
        ("$2", r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}()"),  # bcrypt hash
        ("whsec_", r"whsec_[\w+/=-]+()"),  # Standard Webhooks secret
        ("Bearer ", r"(Bearer +)[^\s\"\\]+"),
        ("PortOne ", r"(Authorization.{1,5}PortOne +)[^\s\"\\]+"),
        ("assword=", r"([Pp]assword=)[^\s\"\\&]+"),  # connection strings, forms
        ("ecret=", r"([Ss]ecret=)[^\s\"\\&]+"),
        # Korean mobile numbers; the look-behind comes after 01, which is ten times as fast
        ("01", r"01(?<![\w-]01)[016789][ -]?\d{3,4}[ -]?\d{4}(?![\w-])()"),
        ("+82", r"\+82[ -]?1[016789][ -]?\d{3,4}[ -]?\d{4}()"),
    )
)


def mask(text: str) -> str:
    """`text` without what looks like a credential or a personal datum."""
    for trigger, pattern in _SENSITIVE:
        if trigger in text:
            text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


class _Masking(LambdaPowertoolsFormatter):
    def serialize(self, log: dict[str, Any]) -> str:  # type: ignore[override]
        return mask(super().serialize(log))


def service() -> str | None:
    """The service in this function's handler: `queue` of `functions.queue.handlers.…`; None outside Lambda."""
    match os.environ.get("_HANDLER", "").split("."):
        case ["functions", name, *_]:
            return name
    return None


class _LazyLogger:
    """Powertools' logger, made at its first use: making it reads the environment, and an import must not."""

    @cached_property
    def _logger(self) -> Logger:
        return Logger(service=service(), utc=True, logger_formatter=_Masking(utc=True, use_rfc3339=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)


log = cast(Logger, _LazyLogger())
_ENCODE_ASCII = json.JSONEncoder(default=str, separators=(",", ":")).encode


def write(message: str, **fields: Any) -> None:
    """Write a record at every log level, because metrics are in it. It has the logger's keys, but bypasses the logger,
    which costs five times as much for each request."""
    line = {
        **log.get_current_keys(),
        "location": None,
        "level": "INFO",
        "message": message,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        # X-Ray's id, out of Root=1-…;Parent=…;Sampled=1
        "xray_trace_id": os.environ.get("_X_AMZN_TRACE_ID", "").partition(";")[0].removeprefix("Root=") or None,
        **fields,
    }
    try:
        text = to_json(line, exclude_none=True, fallback=str).decode()
    except PydanticSerializationError:  # a path with a lone surrogate, which only ASCII can express
        text = _ENCODE_ASCII({name: value for name, value in line.items() if value is not None})
    sys.stdout.write(mask(text) + "\n")

"""Reports what happens in a function to the suite's call recorder."""

import json
import os
import urllib.request
from typing import Any


def note(key: str, record: Any) -> None:
    """Adds `record` to what the suite knows under `key`."""
    body = json.dumps(record).encode()
    request = urllib.request.Request(f"{os.environ['RECORDER_URL']}/{key}", body, method="POST")  # noqa: S310  the suite's own URL
    urllib.request.urlopen(request, timeout=3).close()  # noqa: S310

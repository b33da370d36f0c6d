"""moto's server, with KMS keys that outlive it: what a project encrypted into its database opens after the next start.

    python -m emulator.services.moto_server KEYS.json -H HOST -p PORT

moto makes a key's id and material at random and takes none from outside. So here the first key that is created after a
start is again the first of the start before, the second the second, and so on; aliases are created anew. Symmetric keys
only: an asymmetric one's pair is new every time.
"""

import json
import os
import sys
from pathlib import Path
from threading import Lock
from typing import Any

from moto import server
from moto.kms import models


def keep_keys(path: Path) -> None:
    """From here on keys are made as they are written in `path`, in order, and those that are not yet are written."""
    kept: list[dict[str, str]] = json.loads(path.read_text()) if path.exists() else []
    lock, made = Lock(), iter(range(sys.maxsize))
    make = models.Key.__init__

    def make_again(key: models.Key, *args: Any, **kwargs: Any) -> None:
        make(key, *args, **kwargs)
        with lock:
            place = next(made)
            if place == len(kept):
                kept.append({"id": key.id, "material": key.key_material.hex()})
                _write(path, kept)
        key.arn = key.arn.replace(key.id, kept[place]["id"])
        key.id, key.key_material = kept[place]["id"], bytes.fromhex(kept[place]["material"])

    models.Key.__init__ = make_again  # type: ignore[method-assign, assignment]


def _write(path: Path, kept: list[dict[str, str]]) -> None:
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(kept, file)
    draft.replace(path)  # whole or not at all, whenever the process is killed


if __name__ == "__main__":
    keep_keys(Path(sys.argv[1]))
    server.main(sys.argv[2:])

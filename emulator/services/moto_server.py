"""moto's server, with KMS keys that survive restarts, so that data encrypted earlier can still be decrypted.

    python -m emulator.services.moto_server KEYS.json -H HOST -p PORT

moto generates a key's id and material and accepts none. So here the first key created after a start becomes the first
key of earlier starts, the second one the second, and so on; aliases are created again. Symmetric keys only: an
asymmetric key pair is new after each start.
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
    """From now on, created keys get the ids and materials in `path`, in order; further ones are added to it."""
    kept: list[dict[str, str]] = json.loads(path.read_text()) if path.exists() else []
    lock, counter = Lock(), iter(range(sys.maxsize))
    create = models.Key.__init__

    def restore_or_save(key: models.Key, *args: Any, **kwargs: Any) -> None:
        create(key, *args, **kwargs)
        with lock:
            index = next(counter)
            if index == len(kept):
                kept.append({"id": key.id, "material": key.key_material.hex()})
                _write(path, kept)
        key.arn = key.arn.replace(key.id, kept[index]["id"])
        key.id, key.key_material = kept[index]["id"], bytes.fromhex(kept[index]["material"])

    models.Key.__init__ = restore_or_save  # type: ignore[method-assign, assignment]


def _write(path: Path, kept: list[dict[str, str]]) -> None:
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(kept, file)
    draft.replace(path)  # atomic, even if the process is killed


if __name__ == "__main__":
    keep_keys(Path(sys.argv[1]))
    server.main(sys.argv[2:])

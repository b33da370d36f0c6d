"""Keyed hashes, which need no data key and so no KMS."""

from base64 import b64decode
from functools import cache

from common.wiring.secret_cache import secret
from functions.auth.adapters.lookup_hash import LookupHash


def lookup_key() -> bytes:
    return b64decode(secret("personal-data/lookup")["key"])


@cache
def lookup() -> LookupHash:
    return LookupHash(lookup_key)

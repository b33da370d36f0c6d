"""Personal data that the vault encrypted (AUTH-020)."""

from dataclasses import dataclass, field
from typing import Literal

# Every sealed field has a name of its own, which is authenticated with the value.
SealedField = Literal["email", "name", "phone", "ci", "client"]


class SealBroken(Exception):
    """The value was not sealed here for this row and this column, or it was changed. The text shows no content."""


@dataclass(frozen=True)
class DataKey:
    id: int  # 1 to 2³² - 1; a newer key has a greater one
    key: bytes = field(repr=False)  # 32 bytes


@dataclass(frozen=True)
class SealedDataKey:
    """As stored: only KMS can open it."""

    id: int
    sealed_key: bytes = field(repr=False)

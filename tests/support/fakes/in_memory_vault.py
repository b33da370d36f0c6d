"""A vault whose keys need no KMS, for tests of what it seals."""

from functions.auth.adapters.vault import Vault
from functions.auth.domain.sealed_value import DataKey

LOOKUP_KEY = bytes(range(32))


class InMemoryKeys:
    """Data key 1, and those that `renew` adds."""

    def __init__(self) -> None:
        self._keys = [DataKey(1, bytes([1] * 32))]

    def newest(self) -> DataKey:
        return self._keys[-1]

    def by_id(self, key_id: int) -> DataKey | None:
        return next((key for key in self._keys if key.id == key_id), None)

    def renew(self) -> None:
        number = self.newest().id + 1
        self._keys.append(DataKey(number, bytes([number] * 32)))


def in_memory_vault() -> Vault:
    return Vault(InMemoryKeys(), lambda: LOOKUP_KEY)

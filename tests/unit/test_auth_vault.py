"""A sealed value opens only where it was sealed; lookups need the key (AUTH-020)."""

from itertools import pairwise
from uuid import UUID

import pytest

from functions.auth.adapters.vault import HEADER, NONCE_BYTES, Vault
from functions.auth.domain.sealed_value import SealBroken
from tests.support.fakes.in_memory_vault import LOOKUP_KEY, InMemoryKeys, in_memory_vault

HONG, KIM = UUID(int=1), UUID(int=2)
PHONE = "01012345678"


@pytest.fixture
def vault() -> Vault:
    return in_memory_vault()


@pytest.mark.parametrize("text", ["", "홍길동", "Hong@Example.com", "x" * 1000, "\x00"])
def test_a_sealed_value_opens_to_what_it_was(vault: Vault, text: str) -> None:
    sealed = vault.seal(HONG, "name", text)
    assert vault.open(HONG, "name", sealed) == text
    assert len(sealed) == len(text.encode()) + 33


def test_sealing_a_value_twice_gives_different_bytes(vault: Vault) -> None:
    sealed = [vault.seal(HONG, "phone", PHONE)[HEADER.size :] for _ in range(200)]
    assert len({each[:NONCE_BYTES] for each in sealed}) == 200
    for one, other in pairwise(sealed):
        assert not set(_pieces(one)) & set(_pieces(other))


def _pieces(sealed: bytes) -> list[bytes]:
    return [sealed[start : start + 4] for start in range(len(sealed) - 3)]


def test_a_value_moved_to_another_row_or_column_does_not_open(vault: Vault) -> None:
    sealed = vault.seal(HONG, "phone", PHONE)
    with pytest.raises(SealBroken):
        vault.open(KIM, "phone", sealed)
    with pytest.raises(SealBroken):
        vault.open(HONG, "name", sealed)


def test_a_value_changed_in_any_byte_does_not_open_and_the_error_shows_nothing(vault: Vault) -> None:
    sealed = vault.seal(HONG, "phone", PHONE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBroken) as broken:
            vault.open(HONG, "phone", bytes(changed))
        assert broken.value.__suppress_context__ or broken.value.__context__ is None
        assert not any(character.isdigit() for character in str(broken.value))


@pytest.mark.parametrize("kept", range(0, 33, 4))
def test_a_value_cut_short_does_not_open(vault: Vault, kept: int) -> None:
    with pytest.raises(SealBroken):
        vault.open(HONG, "phone", vault.seal(HONG, "phone", PHONE)[:kept])


def test_a_value_of_an_older_key_opens_and_is_resealed_with_the_newest() -> None:
    keys = InMemoryKeys()
    vault = Vault(keys, lambda: LOOKUP_KEY)
    old = vault.seal(HONG, "phone", PHONE)
    keys.renew()
    assert vault.open(HONG, "phone", old) == PHONE
    fresh = vault.reseal(HONG, "phone", old)
    assert (vault.open(HONG, "phone", fresh), fresh[:5]) == (PHONE, vault.newest_header())
    assert old < vault.newest_header() < fresh
    assert vault.reseal(HONG, "phone", fresh) is fresh


def test_an_address_is_found_in_any_case_and_other_values_only_exactly(vault: Vault) -> None:
    assert vault.lookup("email", "Hong@Example.COM") == vault.lookup("email", "hong@example.com")
    assert vault.lookup("ci", "Ab") != vault.lookup("ci", "ab")
    assert len(vault.lookup("ci", "ab")) == 32


def test_hashes_differ_by_kind_and_by_key(vault: Vault) -> None:
    other_key = Vault(InMemoryKeys(), lambda: bytes(32))
    hashes = [
        vault.lookup("ci", "one"),
        vault.lookup("email", "one"),
        vault.lookup("c", "i\0one"),
        other_key.lookup("ci", "one"),
    ]
    assert len(set(hashes)) == len(hashes)

"""The name of an order is one that every payment channel accepts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.payments.domain.order_name import order_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("월드 투어", "월드 투어 2매"),
        (unicodedata.normalize("NFD", "월드 투어"), "월드 투어 2매"),
        ("ＢＴＳ", "BTS 2매"),
        ("Café 🎤 'Live' <2026>", "Cafe Live 2026 2매"),
        ("뷁 콘서트", "콘서트 2매"),  # EUC-KR has no such syllable
        ("🎤🎤", "티켓 2매"),
        ("a" * 200, "a" * 35 + " 2매"),
        ("가" * 200, "가" * 11 + " 2매"),
    ],
)
def test_a_title_is_cut_and_reduced_to_harmless_characters(title: str, name: str) -> None:
    assert order_name(title, 2) == name


@given(st.text(max_size=300), st.integers(1, 100))
def test_any_title_gives_a_name_of_at_most_40_bytes_in_utf_8_and_euc_kr(title: str, seats: int) -> None:
    name = order_name(title, seats)
    assert len(name.encode()) <= 40
    assert len(name.encode("euc_kr")) <= 40
    assert name.removesuffix(f" {seats}매")
    assert not set(name) & set("\"'<>&\\|;")

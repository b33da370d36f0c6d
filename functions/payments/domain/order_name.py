"""The name of an order as every payment channel accepts it.

Channels cut, garble or reject longer names and other characters: the shortest limit is 40 bytes, in some channels of
EUC-KR and in others of UTF-8 (PortOne's pages on NICE, KCP and KSNET).
"""

import unicodedata

MOST_BYTES = 40  # in UTF-8; EUC-KR never needs more
_SIGNS = " -.()"
_NO_TITLE = "티켓"


def order_name(title: str, seat_count: int) -> str:
    """`title` and the number of seats, for example "월드 투어 2매"."""
    seats = f" {seat_count}매"
    accepted = "".join(map(_accepted, unicodedata.normalize("NFKC", title)))
    short = " ".join(accepted.split()).encode()[: MOST_BYTES - len(seats.encode())].decode(errors="ignore").strip()
    return (short or _NO_TITLE) + seats


def _accepted(character: str) -> str:
    """The character, its letter without an accent, or a space."""
    base = unicodedata.normalize("NFD", character)[0]
    return next((each for each in (character, base) if _is_accepted(each)), " ")


def _is_accepted(character: str) -> bool:
    if character in _SIGNS:
        return True
    try:
        # Python writes a syllable that EUC-KR lacks as eight bytes, which payment channels do not read.
        return character.isalnum() and len(character.encode("euc_kr")) <= 2
    except UnicodeEncodeError:
        return False

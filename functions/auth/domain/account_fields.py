"""Types of what a client may write about an account."""

from typing import Annotated
from unicodedata import normalize

from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError

from common.domain.model import VisibleText

PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES = 10, 72  # bcrypt reads no more than 72


def _normalized(password: SecretStr) -> SecretStr:
    """In NFKC: keyboards write the same characters as different bytes (NIST SP 800-63B-4, 3.1.1.2)."""
    return SecretStr(normalize("NFKC", password.get_secret_value()))


def _strong_enough(password: SecretStr) -> SecretStr:
    text = password.get_secret_value()
    if not PASSWORD_MIN_BYTES <= len(text.encode()) <= PASSWORD_MAX_BYTES:
        raise PydanticCustomError("password_length", f"must be {PASSWORD_MIN_BYTES} to {PASSWORD_MAX_BYTES} bytes")
    if not (any(character.isalpha() for character in text) and any(character.isdecimal() for character in text)):
        raise PydanticCustomError("password_characters", "must contain a letter and a digit")
    if "\0" in text:  # see PasswordHasher
        raise PydanticCustomError("password_nul", "must not contain NUL")
    return password


# An address that a browser accepts (HTML standard, "valid e-mail address"), with at least one dot and the lengths of
# RFC 5321, 4.5.3.1. Only a mail shows whether it receives mail (AUTH-022), so email-validator would add nothing.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+$"
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=_EMAIL)]

NewPassword = Annotated[SecretStr, Field(max_length=1000), AfterValidator(_normalized), AfterValidator(_strong_enough)]
# Only compared, so it need not meet the rules of a new one.
OfferedPassword = Annotated[SecretStr, Field(min_length=1, max_length=1000), AfterValidator(_normalized)]
PersonName = Annotated[VisibleText, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 -]{6,18}[0-9]$")]
CaptchaToken = Annotated[SecretStr, Field(min_length=1, max_length=8192)]
RefreshToken = Annotated[SecretStr, Field(min_length=1, max_length=1000)]
OAuthCode = Annotated[SecretStr, Field(min_length=1, max_length=2048)]
OAuthState = Annotated[SecretStr, Field(min_length=1, max_length=200)]
LinkToken = Annotated[SecretStr, Field(min_length=1, max_length=200)]
EmailCode = Annotated[SecretStr, Field(min_length=1, max_length=100)]  # only compared

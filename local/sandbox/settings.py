"""The sandbox's settings: secrets and names that it shares with the application."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(Exception):
    """The environment is invalid. The message is one line for the user."""


@dataclass(frozen=True)
class Settings:
    """Shared with the application. The defaults are public, and valid only for a local sandbox."""

    portone_api_secret: str = "sandbox-portone-api-secret"  # noqa: S105  (see above)
    portone_webhook_secret: str = "whsec_c2FuZGJveC1wb3J0b25lLXdlYmhvb2stc2VjcmV0"  # noqa: S105  (see above)
    captcha_secret: str = "sandbox-captcha-secret"  # noqa: S105  (see above)
    portone_store_id: str = "store-00000000-0000-4000-8000-000000000001"
    portone_channel_key: str = "channel-key-00000000-0000-4000-8000-000000000001"
    kakao_client_id: str = "sandbox-kakao-client"
    kakao_client_secret: str = "sandbox-kakao-secret"  # noqa: S105  (see above)
    naver_client_id: str = "sandbox-naver-client"
    naver_client_secret: str = "sandbox-naver-secret"  # noqa: S105  (see above)
    google_client_id: str = "sandbox-google-client"
    google_client_secret: str = "sandbox-google-secret"  # noqa: S105  (see above)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """PORTONE_API_SECRET, PORTONE_WEBHOOK_SECRET, CAPTCHA_SECRET, PORTONE_STORE_ID, PORTONE_CHANNEL_KEY, and of
        KAKAO, NAVER and GOOGLE each …_CLIENT_ID and …_CLIENT_SECRET.

        A missing or empty variable has its default. Raises `SettingsError`.
        """
        names = cls.__dataclass_fields__
        settings = cls(**{name: value for name in names if (value := environment.get(name.upper()))})
        _check_webhook_secret(settings.portone_webhook_secret)
        return settings


def _check_webhook_secret(secret: str) -> None:
    # Standard Webhooks: `whsec_` and base64. Otherwise a wrong secret would only show as 401 of webhooks.
    encoded = secret.removeprefix("whsec_")
    try:
        usable = encoded != secret and len(base64.b64decode(encoded, validate=True)) >= 16
    except binascii.Error:
        usable = False
    if not usable:
        message = "PORTONE_WEBHOOK_SECRET must be whsec_ followed by the base64 of at least 16 bytes"
        raise SettingsError(message)

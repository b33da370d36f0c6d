"""Kakao Login (https://developers.kakao.com/docs/latest/en/kakaologin/rest-api): kauth.kakao.com and kapi.kakao.com."""

from typing import Any

from aiohttp import web

from local.sandbox.clock import rfc3339
from local.sandbox.oauth import Grant, Person, Provider, Refusal

_ERRORS = {
    Refusal.CLIENT: (401, "invalid_client", "KOE010", "Bad client credentials"),
    Refusal.GRANT: (400, "invalid_grant", "KOE320", "authorization code not found"),
    Refusal.REDIRECT_URI: (400, "invalid_grant", "KOE303", "Redirect URI mismatch."),
    Refusal.REQUEST: (400, "invalid_request", "KOE001", "Bad request"),
}


class Kakao(Provider):
    """A member number for an id; the mail address is proved only where both of its flags say so."""

    name = "kakao"
    id_pattern = r"[0-9]{1,18}"
    authorize_path = "/oauth/authorize"
    token_path = "/oauth/token"  # noqa: S105 - a path
    profile_path = "/v2/user/me"

    def someone(self, seed: bytes) -> Person:
        """A member number of up to 15 digits."""
        number = str(int.from_bytes(seed[:6], "big"))
        return Person(id=number, email=f"kakao-{number}@example.com", name=f"카카오 {number[-4:]}")

    def granted(self, grant: Grant) -> dict[str, Any]:
        """`expires_in` in seconds."""
        return {
            "token_type": "bearer",
            "access_token": grant.access_token,
            "expires_in": 3599,
            "refresh_token": f"refresh-{grant.access_token}",
            "refresh_token_expires_in": 5183999,
            "scope": "account_email profile_nickname",
        }

    def refused(self, refusal: Refusal) -> web.Response:
        """`{error, error_description, error_code}`."""
        status, error, code, description = _ERRORS[refusal]
        body = {"error": error, "error_description": description, "error_code": code}
        return web.json_response(body, status=status)

    def profile(self, person: Person) -> dict[str, Any]:
        """`GET /v2/user/me`, of someone who agreed to nickname and e-mail."""
        account: dict[str, Any] = {
            "profile_nickname_needs_agreement": False,
            "profile": {"nickname": person.name or "", "is_default_nickname": False},
            "has_email": person.email is not None,
            "email_needs_agreement": False,
        }
        if person.email is not None:
            account |= {
                "is_email_valid": True,
                "is_email_verified": person.email_verified,
                "email": person.email,
            }
        return {
            "id": int(person.id),
            "connected_at": rfc3339(self._clock()),
            "properties": {"nickname": person.name or ""},
            "kakao_account": account,
        }

    def unknown_token(self) -> web.Response:
        """Kakao's APIs have another error shape than its authorization server."""
        return web.json_response({"msg": "this access token does not exist", "code": -401}, status=401)

"""Kakao Login (https://developers.kakao.com/docs/latest/en/kakaologin/rest-api): kauth.kakao.com and kapi.kakao.com."""

from typing import Any

from aiohttp import web

from local.sandbox.clock import rfc3339
from local.sandbox.oauth import Grant, Person, Provider, RejectionReason

_ERRORS = {
    RejectionReason.CLIENT: (401, "invalid_client", "KOE010", "Bad client credentials"),
    RejectionReason.GRANT: (400, "invalid_grant", "KOE320", "authorization code not found"),
    RejectionReason.REDIRECT_URI: (400, "invalid_grant", "KOE303", "Redirect URI mismatch."),
    RejectionReason.REQUEST: (400, "invalid_request", "KOE001", "Bad request"),
}


class Kakao(Provider):
    """Ids are member numbers; an e-mail address is verified only if both of its flags are true."""

    name = "kakao"
    id_pattern = r"[0-9]{1,18}"
    authorize_path = "/oauth/authorize"
    token_path = "/oauth/token"  # noqa: S105 - a path
    profile_path = "/v2/user/me"

    def sample_person(self, seed: bytes) -> Person:
        """A member number of up to 15 digits."""
        number = str(int.from_bytes(seed[:6], "big"))
        return Person(id=number, email=f"kakao-{number}@example.com", name=f"카카오 {number[-4:]}")

    def token_body(self, grant: Grant) -> dict[str, Any]:
        """`expires_in` in seconds."""
        return {
            "token_type": "bearer",
            "access_token": grant.access_token,
            "expires_in": 3599,
            "refresh_token": f"refresh-{grant.access_token}",
            "refresh_token_expires_in": 5183999,
            "scope": "account_email profile_nickname",
        }

    def token_error(self, reason: RejectionReason) -> web.Response:
        """`{error, error_description, error_code}`."""
        status, error, code, description = _ERRORS[reason]
        body = {"error": error, "error_description": description, "error_code": code}
        return web.json_response(body, status=status)

    def profile_body(self, person: Person) -> dict[str, Any]:
        """`GET /v2/user/me`, of a person who agreed to share nickname and e-mail."""
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

    def unknown_token_response(self) -> web.Response:
        """Kakao's APIs have another error format than its authorization server."""
        return web.json_response({"msg": "this access token does not exist", "code": -401}, status=401)

"""Naver Login (https://developers.naver.com/docs/login/api/api.md): nid.naver.com/oauth2.0 and openapi.naver.com.

These paths have no PKCE; instead the token request repeats the state. Errors have status 200.
"""

from typing import Any

from aiohttp import web

from local.sandbox.oauth import Grant, Person, Provider, RejectionReason

_ERRORS = {
    RejectionReason.CLIENT: ("invalid_client", "wrong client id / client secret pair."),
    RejectionReason.GRANT: ("invalid_request", "no valid data in session"),
    RejectionReason.REQUEST: ("invalid_request", "wrong parameter"),
}


class Naver(Provider):
    """Ids are text; nothing says whether an e-mail address is verified."""

    name = "naver"
    authorize_path = "/oauth2.0/authorize"
    token_path = "/oauth2.0/token"  # noqa: S105 - a path
    profile_path = "/v1/nid/me"
    has_pkce = False
    repeats_redirect_uri = False
    repeats_state = True

    def sample_person(self, seed: bytes) -> Person:
        """An id of 32 hexadecimal digits."""
        key = seed[:16].hex()
        return Person(id=key, email=f"naver-{key[:12]}@example.com", name=f"네이버 {key[:4]}")

    def token_body(self, grant: Grant) -> dict[str, Any]:
        """`expires_in` is text."""
        return {
            "access_token": grant.access_token,
            "refresh_token": f"refresh-{grant.access_token}",
            "token_type": "bearer",
            "expires_in": "3600",
        }

    def token_error(self, reason: RejectionReason) -> web.Response:
        """`{error, error_description}`."""
        error, description = _ERRORS[reason]
        return web.json_response({"error": error, "error_description": description})

    def profile_body(self, person: Person) -> dict[str, Any]:
        """`GET /v1/nid/me`; without the fields that a member did not agree to share."""
        given = {"id": person.id, "email": person.email, "name": person.name}
        response = {name: value for name, value in given.items() if value is not None}
        return {"resultcode": "00", "message": "success", "response": response}

    def unknown_token_response(self) -> web.Response:
        """`{resultcode, message}`."""
        return web.json_response({"resultcode": "024", "message": "Authentication failed"}, status=401)

"""Naver Login (https://developers.naver.com/docs/login/api/api.md): nid.naver.com/oauth2.0 and openapi.naver.com.

These paths know no PKCE; in its stead the token request repeats the state. Refusals come with a 200.
"""

from typing import Any

from aiohttp import web

from local.sandbox.oauth import Grant, Person, Provider, Refusal

_ERRORS = {
    Refusal.CLIENT: ("invalid_client", "wrong client id / client secret pair."),
    Refusal.GRANT: ("invalid_request", "no valid data in session"),
    Refusal.REQUEST: ("invalid_request", "wrong parameter"),
}


class Naver(Provider):
    """A code of letters for an id, and no word on whether the mail address was proved."""

    name = "naver"
    authorize_path = "/oauth2.0/authorize"
    token_path = "/oauth2.0/token"  # noqa: S105 - a path
    profile_path = "/v1/nid/me"
    has_pkce = False
    repeats_redirect_uri = False
    repeats_state = True

    def someone(self, seed: bytes) -> Person:
        """An id of 32 hexadecimal digits."""
        key = seed[:16].hex()
        return Person(id=key, email=f"naver-{key[:12]}@example.com", name=f"네이버 {key[:4]}")

    def granted(self, grant: Grant) -> dict[str, Any]:
        """`expires_in` is text."""
        return {
            "access_token": grant.access_token,
            "refresh_token": f"refresh-{grant.access_token}",
            "token_type": "bearer",
            "expires_in": "3600",
        }

    def refused(self, refusal: Refusal) -> web.Response:
        """`{error, error_description}`."""
        error, description = _ERRORS[refusal]
        return web.json_response({"error": error, "error_description": description})

    def profile(self, person: Person) -> dict[str, Any]:
        """`GET /v1/nid/me`; what a member did not agree to give is left out."""
        given = {"id": person.id, "email": person.email, "name": person.name}
        response = {name: value for name, value in given.items() if value is not None}
        return {"resultcode": "00", "message": "success", "response": response}

    def unknown_token(self) -> web.Response:
        """`{resultcode, message}`."""
        return web.json_response({"resultcode": "024", "message": "Authentication failed"}, status=401)

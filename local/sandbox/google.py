"""Google's OpenID Connect (https://developers.google.com/identity/openid-connect/reference): accounts.google.com,
oauth2.googleapis.com, www.googleapis.com and openidconnect.googleapis.com, all found by the discovery document."""

from functools import cached_property
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local.sandbox.oauth import TOKEN_LIFE, Grant, Person, Provider, RejectionReason, origin

DISCOVERY_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/oauth2/v3/certs"
KEY_ID = "sandbox"

_ERRORS = {
    RejectionReason.CLIENT: (401, "invalid_client", "Unauthorized"),
    RejectionReason.GRANT: (400, "invalid_grant", "Malformed auth code."),
    RejectionReason.REDIRECT_URI: (400, "redirect_uri_mismatch", "Bad Request"),
    RejectionReason.REQUEST: (400, "invalid_request", "Bad Request"),
}


class Google(Provider):
    """Ids have 21 digits; the ID token is signed with RS256."""

    name = "google"
    authorize_path = "/o/oauth2/v2/auth"
    token_path = "/token"  # noqa: S105 - a path
    profile_path = "/v1/userinfo"

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)  # on first use, since it is slow

    def routes(self) -> list[web.RouteDef]:
        """The provider's routes, discovery and keys."""
        return [
            *super().routes(),
            web.get(DISCOVERY_PATH, self._with_faults(self._discovery)),
            web.get(KEYS_PATH, self._with_faults(self._keys)),
        ]

    def sample_person(self, seed: bytes) -> Person:
        """An id of 21 digits."""
        number = str(10**20 + int.from_bytes(seed[:8], "big"))
        return Person(id=number, email=f"google-{number[-12:]}@example.com", name=f"구글 {number[-4:]}")

    def token_body(self, grant: Grant) -> dict[str, Any]:
        """With the ID token, whose `nonce` is the authorization request's."""
        now = int(self._clock().timestamp())
        claims = {
            "iss": grant.origin,  # at Google https://accounts.google.com
            "azp": self._client.id,
            "aud": self._client.id,
            **self.profile_body(grant.consent.person),
            "iat": now,
            "exp": now + int(TOKEN_LIFE.total_seconds()),
        }
        if grant.consent.nonce is not None:
            claims["nonce"] = grant.consent.nonce
        return {
            "access_token": grant.access_token,
            "expires_in": 3599,
            "scope": "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile",
            "token_type": "Bearer",
            "id_token": jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID}),
        }

    def token_error(self, reason: RejectionReason) -> web.Response:
        """`{error, error_description}`."""
        status, error, description = _ERRORS[reason]
        return web.json_response({"error": error, "error_description": description}, status=status)

    def profile_body(self, person: Person) -> dict[str, Any]:
        """The claims of userinfo and of the ID token."""
        claims: dict[str, Any] = {"sub": person.id}
        if person.name is not None:
            claims["name"] = person.name
        if person.email is not None:
            claims |= {"email": person.email, "email_verified": person.email_verified}
        return claims

    def unknown_token_response(self) -> web.Response:
        """`{error, error_description}`."""
        return web.json_response({"error": "invalid_request", "error_description": "Invalid Credentials"}, status=401)

    async def _discovery(self, request: web.Request) -> web.Response:
        here = origin(request)
        return web.json_response(
            {
                "issuer": here,
                "authorization_endpoint": here + self.authorize_path,
                "token_endpoint": here + self.token_path,
                "userinfo_endpoint": here + self.profile_path,
                "jwks_uri": here + KEYS_PATH,
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _keys(self, _request: web.Request) -> web.Response:
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return web.json_response({"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]})

"""Kakao, Naver and Google: codes, tokens and profiles, as an application's server and its user's browser see them."""

import base64
import hashlib
import itertools
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest

BACK = "http://localhost:5173/oauth/callback"
VERIFIER = "a-verifier-of-forty-three-characters-and-more"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Path:
    authorize: str
    token: str
    profile: str


PATHS = {
    "kakao": Path("/oauth/authorize", "/oauth/token", "/v2/user/me"),
    "naver": Path("/oauth2.0/authorize", "/oauth2.0/token", "/v1/nid/me"),
    "google": Path("/o/oauth2/v2/auth", "/token", "/v1/userinfo"),
}
GRANT = {"kakao": "KOE320", "naver": "no valid data in session", "google": "Malformed auth code."}
every_provider = pytest.mark.parametrize("provider", list(PATHS))
with_pkce = pytest.mark.parametrize("provider", ["kakao", "google"])
states = (f"state-{n}" for n in itertools.count())


async def authorize(sandbox, provider, **changes):
    """Status and Location's parameters of the redirect, or of the page that is shown instead."""
    asked = {
        "response_type": "code",
        "client_id": getattr(sandbox.settings, f"{provider}_client_id"),
        "redirect_uri": BACK,
        "state": next(states),
        **changes,
    }
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    url = f"{sandbox.url}{PATHS[provider].authorize}?{query}"
    async with sandbox.session.get(url, allow_redirects=False) as answer:
        location = urlsplit(answer.headers.get("Location", ""))
        return answer.status, {name: values[0] for name, values in parse_qs(location.query).items()}


async def consented(sandbox, provider, **changes):
    status, given = await authorize(sandbox, provider, **changes)
    assert status == 302
    return given["code"], given["state"]


async def exchange(sandbox, provider, code, state, **changes):
    form = {
        "grant_type": "authorization_code",
        "client_id": getattr(sandbox.settings, f"{provider}_client_id"),
        "client_secret": getattr(sandbox.settings, f"{provider}_client_secret"),
        "redirect_uri": BACK,
        "code": code,
        "state": state,
        **changes,
    }
    kept = {name: value for name, value in form.items() if value is not None}
    async with sandbox.session.post(sandbox.url + PATHS[provider].token, data=kept) as answer:
        return answer.status, await answer.json()


async def profile(sandbox, provider, access_token):
    headers = {"Authorization": f"Bearer {access_token}"}
    return await sandbox.call("GET", PATHS[provider].profile, headers=headers)


async def logged_in(sandbox, provider, **changes):
    status, token = await exchange(sandbox, provider, *await consented(sandbox, provider, **changes))
    assert status == 200
    return token


@every_provider
def test_a_code_becomes_a_token_and_the_token_a_profile(run_scenario, provider):
    async def scenario(sandbox):
        token = await logged_in(sandbox, provider)
        assert token["token_type"].lower() == "bearer"
        assert int(token["expires_in"]) > 3000
        status, shown = await profile(sandbox, provider, token["access_token"])
        assert status == 200
        assert {"kakao": "kakao_account", "naver": "response", "google": "sub"}[provider] in shown

    run_scenario(scenario)


@every_provider
def test_the_redirect_has_the_state_and_keeps_the_applications_query(run_scenario, provider):
    async def scenario(sandbox):
        status, given = await authorize(sandbox, provider, state="ours & theirs", redirect_uri=f"{BACK}?from=mail")
        assert (status, given["state"], given["from"]) == (302, "ours & theirs", "mail")
        assert sorted(given) == ["code", "from", "state"]

    run_scenario(scenario)


@every_provider
def test_the_person_of_the_next_consent_can_be_chosen_and_only_of_the_next(run_scenario, provider):
    async def scenario(sandbox):
        body = {"id": "1234567", "email": "hong@example.com", "name": "홍길동"}
        status, chosen = await sandbox.call("POST", f"/sandbox/oauth/{provider}/person", body)
        assert (status, chosen) == (200, {**body, "emailVerified": True})
        _, shown = await profile(sandbox, provider, (await logged_in(sandbox, provider))["access_token"])
        if provider == "kakao":
            assert shown["id"] == 1234567
            account = shown["kakao_account"]
            assert (account["email"], account["profile"]["nickname"]) == ("hong@example.com", "홍길동")
            assert account["is_email_valid"] is account["is_email_verified"] is True
        elif provider == "naver":
            assert shown == {"resultcode": "00", "message": "success", "response": body}
        else:
            assert shown == {
                "sub": "1234567",
                "email": "hong@example.com",
                "email_verified": True,
                "name": "홍길동",
            }
        _, other = await profile(sandbox, provider, (await logged_in(sandbox, provider))["access_token"])
        assert "1234567" not in str(other)

    run_scenario(scenario)


@every_provider
def test_without_a_choice_the_person_is_derived_from_the_state(run_scenario, provider):
    async def scenario(sandbox):
        async def shown(state):
            token = await logged_in(sandbox, provider, state=state)
            found = (await profile(sandbox, provider, token["access_token"]))[1]
            return found.get("id") or found.get("sub") or found["response"]["id"]

        assert await shown("a") == await shown("a") != await shown("b")

    run_scenario(scenario)


@every_provider
def test_a_field_that_a_person_did_not_give_is_left_out(run_scenario, provider):
    async def scenario(sandbox):
        await sandbox.call("POST", f"/sandbox/oauth/{provider}/person", {"id": "1"})
        _, shown = await profile(sandbox, provider, (await logged_in(sandbox, provider))["access_token"])
        assert "@" not in str(shown)

    run_scenario(scenario)


def test_an_address_may_be_unverified(run_scenario):
    async def scenario(sandbox):
        body = {"id": "1", "email": "victim@example.com", "emailVerified": False}
        for provider in ("kakao", "google"):
            await sandbox.call("POST", f"/sandbox/oauth/{provider}/person", body)
            _, shown = await profile(sandbox, provider, (await logged_in(sandbox, provider))["access_token"])
            flags = shown.get("kakao_account", shown)
            assert flags.get("is_email_verified", flags.get("email_verified")) is False

    run_scenario(scenario)


@pytest.mark.parametrize("body", [{}, {"id": ""}, {"id": 7}, {"id": "1", "emial": "x"}, {"id": "not a number"}])
def test_an_invalid_person_is_rejected(run_scenario, body):
    async def scenario(sandbox):
        status, answer = await sandbox.call("POST", "/sandbox/oauth/kakao/person", body)
        assert (status, answer["type"]) == (400, "INVALID_REQUEST")

    run_scenario(scenario)


@every_provider
def test_a_code_works_once(run_scenario, provider):
    async def scenario(sandbox):
        code, state = await consented(sandbox, provider)
        assert (await exchange(sandbox, provider, code, state))[0] == 200
        assert GRANT[provider] in str(await exchange(sandbox, provider, code, state))

    run_scenario(scenario)


@every_provider
def test_a_code_is_valid_for_ten_minutes(run_scenario, provider):
    async def scenario(sandbox):
        old, fresh = await consented(sandbox, provider), await consented(sandbox, provider)
        sandbox.ahead = timedelta(minutes=9, seconds=50)
        assert "access_token" in (await exchange(sandbox, provider, *fresh))[1]
        sandbox.ahead = timedelta(minutes=10)
        assert GRANT[provider] in str(await exchange(sandbox, provider, *old))

    run_scenario(scenario)


@every_provider
@pytest.mark.parametrize("wrong", ["client_id", "client_secret"])
def test_another_client_gets_no_token_and_does_not_use_up_the_code(run_scenario, provider, wrong):
    async def scenario(sandbox):
        code, state = await consented(sandbox, provider)
        for value in ("another", None):
            status, answer = await exchange(sandbox, provider, code, state, **{wrong: value})
            assert answer["error"] == "invalid_client"
            assert status == (200 if provider == "naver" else 401)
        assert (await exchange(sandbox, provider, code, state))[0] == 200

    run_scenario(scenario)


@with_pkce
def test_another_redirect_uri_than_the_codes_gets_no_token(run_scenario, provider):
    async def scenario(sandbox):
        code, state = await consented(sandbox, provider)
        status, answer = await exchange(sandbox, provider, code, state, redirect_uri="http://localhost:5173/other")
        assert (status, answer["error"]) == (
            400,
            {"kakao": "invalid_grant", "google": "redirect_uri_mismatch"}[provider],
        )

    run_scenario(scenario)


def test_naver_requires_the_state_again(run_scenario):
    async def scenario(sandbox):
        code, _ = await consented(sandbox, "naver")
        status, answer = await exchange(sandbox, "naver", code, "another")
        assert (status, answer["error"]) == (200, "invalid_request")

    run_scenario(scenario)


@with_pkce
@pytest.mark.parametrize(
    ("challenge", "verifier", "good"),
    [
        (CHALLENGE, VERIFIER, True),
        (CHALLENGE, VERIFIER + "x", False),
        (CHALLENGE, None, False),
        (None, VERIFIER, False),  # an attacker removed the challenge
    ],
)
def test_the_verifier_must_match_the_challenge(run_scenario, provider, challenge, verifier, good):
    async def scenario(sandbox):
        pkce = {"code_challenge": challenge, "code_challenge_method": challenge and "S256"}
        code, state = await consented(sandbox, provider, **pkce)
        status, answer = await exchange(sandbox, provider, code, state, code_verifier=verifier)
        assert (status == 200) is good, answer
        assert good or answer["error"] == "invalid_grant"

    run_scenario(scenario)


@with_pkce
def test_only_s256_is_a_challenge_method(run_scenario, provider):
    async def scenario(sandbox):
        for method in ("plain", None):
            status, given = await authorize(sandbox, provider, code_challenge=VERIFIER, code_challenge_method=method)
            assert (status, given["error"]) == (302, "invalid_request")

    run_scenario(scenario)


@every_provider
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "/relative"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": f"{BACK}#fragment"},
        {"redirect_uri": "http://[broken"},
    ],
)
def test_no_browser_is_redirected_to_an_invalid_address(run_scenario, provider, changes):
    async def scenario(sandbox):
        assert await authorize(sandbox, provider, **changes) == (400, {})

    run_scenario(scenario)


@every_provider
def test_a_request_for_anything_but_a_code_is_redirected_with_an_error(run_scenario, provider):
    async def scenario(sandbox):
        status, given = await authorize(sandbox, provider, response_type="token", state="s")
        assert (status, given) == (302, {"error": "invalid_request", "state": "s"})

    run_scenario(scenario)


@every_provider
def test_a_token_request_without_a_code_is_rejected(run_scenario, provider):
    async def scenario(sandbox):
        code, state = await consented(sandbox, provider)
        _, answer = await exchange(sandbox, provider, code, state, grant_type="password")
        assert answer["error"] == "invalid_request"
        _, answer = await exchange(sandbox, provider, None, state)
        assert answer["error"] == "invalid_request"

    run_scenario(scenario)


@every_provider
def test_an_unknown_or_expired_access_token_is_rejected(run_scenario, provider):
    async def scenario(sandbox):
        assert (await profile(sandbox, provider, "unknown"))[0] == 401
        token = await logged_in(sandbox, provider)
        sandbox.ahead = timedelta(hours=1)
        status, answer = await profile(sandbox, provider, token["access_token"])
        assert status == 401
        assert {"kakao": "code", "naver": "resultcode", "google": "error"}[provider] in answer

    run_scenario(scenario)


def test_googles_id_token_verifies_with_the_keys_its_discovery_names(run_scenario):
    async def scenario(sandbox):
        _, found = await sandbox.call("GET", "/.well-known/openid-configuration")
        assert found["issuer"] == sandbox.url
        assert found["authorization_endpoint"] == f"{sandbox.url}/o/oauth2/v2/auth"
        _, keys = await sandbox.call("GET", urlsplit(found["jwks_uri"]).path)
        token = (await logged_in(sandbox, "google", nonce="n-1"))["id_token"]
        key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
        client = sandbox.settings.google_client_id
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=client, issuer=sandbox.url)
        assert claims["nonce"] == "n-1"
        assert {"sub", "email", "email_verified", "name", "iat", "exp", "azp"} <= claims.keys()
        assert "nonce" not in jwt.decode(
            (await logged_in(sandbox, "google"))["id_token"], options={"verify_signature": False}
        )

    run_scenario(scenario)


@every_provider
def test_faults_affect_every_step_in_html_but_not_the_choice_of_a_person(run_scenario, provider):
    async def scenario(sandbox):
        token = await logged_in(sandbox, provider)
        code, state = await consented(sandbox, provider)
        await sandbox.fault("error")
        assert (await authorize(sandbox, provider))[0] == 500
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        for method, path in (("POST", PATHS[provider].token), ("GET", PATHS[provider].profile)):
            async with sandbox.session.request(method, sandbox.url + path, headers=headers) as answer:
                assert (answer.status, answer.content_type) == (500, "text/html")
        assert (await sandbox.call("POST", f"/sandbox/oauth/{provider}/person", {"id": "1"}))[0] == 200
        await sandbox.fault("none")
        assert (await exchange(sandbox, provider, code, state))[0] == 200

    run_scenario(scenario)

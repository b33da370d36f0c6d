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


async def authorize(town, provider, **changes):
    """Status and Location's parameters of the redirect, or of the page that is shown instead."""
    asked = {
        "response_type": "code",
        "client_id": getattr(town.settings, f"{provider}_client_id"),
        "redirect_uri": BACK,
        "state": next(states),
        **changes,
    }
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    url = f"{town.url}{PATHS[provider].authorize}?{query}"
    async with town.session.get(url, allow_redirects=False) as answer:
        location = urlsplit(answer.headers.get("Location", ""))
        return answer.status, {name: values[0] for name, values in parse_qs(location.query).items()}


async def consented(town, provider, **changes):
    status, given = await authorize(town, provider, **changes)
    assert status == 302
    return given["code"], given["state"]


async def exchange(town, provider, code, state, **changes):
    form = {
        "grant_type": "authorization_code",
        "client_id": getattr(town.settings, f"{provider}_client_id"),
        "client_secret": getattr(town.settings, f"{provider}_client_secret"),
        "redirect_uri": BACK,
        "code": code,
        "state": state,
        **changes,
    }
    kept = {name: value for name, value in form.items() if value is not None}
    async with town.session.post(town.url + PATHS[provider].token, data=kept) as answer:
        return answer.status, await answer.json()


async def profile(town, provider, access_token):
    headers = {"Authorization": f"Bearer {access_token}"}
    return await town.call("GET", PATHS[provider].profile, headers=headers)


async def signed_in(town, provider, **changes):
    status, token = await exchange(town, provider, *await consented(town, provider, **changes))
    assert status == 200
    return token


@every_provider
def test_a_code_becomes_a_token_and_the_token_a_profile(play, provider):
    async def story(town):
        token = await signed_in(town, provider)
        assert token["token_type"].lower() == "bearer"
        assert int(token["expires_in"]) > 3000
        status, shown = await profile(town, provider, token["access_token"])
        assert status == 200
        assert {"kakao": "kakao_account", "naver": "response", "google": "sub"}[provider] in shown

    play(story)


@every_provider
def test_the_browser_comes_back_with_the_state_and_a_query_of_ones_own_stays(play, provider):
    async def story(town):
        status, given = await authorize(town, provider, state="ours & theirs", redirect_uri=f"{BACK}?from=mail")
        assert (status, given["state"], given["from"]) == (302, "ours & theirs", "mail")
        assert sorted(given) == ["code", "from", "state"]

    play(story)


@every_provider
def test_who_consents_next_can_be_chosen_and_only_next(play, provider):
    async def story(town):
        body = {"id": "1234567", "email": "hong@example.com", "name": "홍길동"}
        status, chosen = await town.call("POST", f"/sandbox/oauth/{provider}/person", body)
        assert (status, chosen) == (200, {**body, "emailVerified": True})
        _, shown = await profile(town, provider, (await signed_in(town, provider))["access_token"])
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
        _, other = await profile(town, provider, (await signed_in(town, provider))["access_token"])
        assert "1234567" not in str(other)

    play(story)


@every_provider
def test_a_person_nobody_chose_is_made_of_the_state(play, provider):
    async def story(town):
        async def shown(state):
            token = await signed_in(town, provider, state=state)
            found = (await profile(town, provider, token["access_token"]))[1]
            return found.get("id") or found.get("sub") or found["response"]["id"]

        assert await shown("a") == await shown("a") != await shown("b")

    play(story)


@every_provider
def test_what_a_person_did_not_give_is_not_made_up(play, provider):
    async def story(town):
        await town.call("POST", f"/sandbox/oauth/{provider}/person", {"id": "1"})
        _, shown = await profile(town, provider, (await signed_in(town, provider))["access_token"])
        assert "@" not in str(shown)

    play(story)


def test_an_address_may_be_unproved(play):
    async def story(town):
        body = {"id": "1", "email": "victim@example.com", "emailVerified": False}
        for provider in ("kakao", "google"):
            await town.call("POST", f"/sandbox/oauth/{provider}/person", body)
            _, shown = await profile(town, provider, (await signed_in(town, provider))["access_token"])
            flags = shown.get("kakao_account", shown)
            assert flags.get("is_email_verified", flags.get("email_verified")) is False

    play(story)


@pytest.mark.parametrize("body", [{}, {"id": ""}, {"id": 7}, {"id": "1", "emial": "x"}, {"id": "not a number"}])
def test_a_person_there_cannot_be_is_refused(play, body):
    async def story(town):
        status, answer = await town.call("POST", "/sandbox/oauth/kakao/person", body)
        assert (status, answer["type"]) == (400, "INVALID_REQUEST")

    play(story)


@every_provider
def test_a_code_is_good_once(play, provider):
    async def story(town):
        code, state = await consented(town, provider)
        assert (await exchange(town, provider, code, state))[0] == 200
        assert GRANT[provider] in str(await exchange(town, provider, code, state))

    play(story)


@every_provider
def test_a_code_is_good_for_ten_minutes(play, provider):
    async def story(town):
        old, fresh = await consented(town, provider), await consented(town, provider)
        town.ahead = timedelta(minutes=9, seconds=50)
        assert "access_token" in (await exchange(town, provider, *fresh))[1]
        town.ahead = timedelta(minutes=10)
        assert GRANT[provider] in str(await exchange(town, provider, *old))

    play(story)


@every_provider
@pytest.mark.parametrize("wrong", ["client_id", "client_secret"])
def test_another_client_gets_no_token_and_leaves_the_code_unspent(play, provider, wrong):
    async def story(town):
        code, state = await consented(town, provider)
        for value in ("another", None):
            status, answer = await exchange(town, provider, code, state, **{wrong: value})
            assert answer["error"] == "invalid_client"
            assert status == (200 if provider == "naver" else 401)
        assert (await exchange(town, provider, code, state))[0] == 200

    play(story)


@with_pkce
def test_another_redirect_uri_than_the_codes_gets_no_token(play, provider):
    async def story(town):
        code, state = await consented(town, provider)
        status, answer = await exchange(town, provider, code, state, redirect_uri="http://localhost:5173/other")
        assert (status, answer["error"]) == (
            400,
            {"kakao": "invalid_grant", "google": "redirect_uri_mismatch"}[provider],
        )

    play(story)


def test_naver_wants_the_state_again(play):
    async def story(town):
        code, _ = await consented(town, "naver")
        status, answer = await exchange(town, "naver", code, "another")
        assert (status, answer["error"]) == (200, "invalid_request")

    play(story)


@with_pkce
@pytest.mark.parametrize(
    ("challenge", "verifier", "good"),
    [
        (CHALLENGE, VERIFIER, True),
        (CHALLENGE, VERIFIER + "x", False),
        (CHALLENGE, None, False),
        (None, VERIFIER, False),  # whose challenge was taken away on its way
    ],
)
def test_the_verifier_must_be_the_challenges(play, provider, challenge, verifier, good):
    async def story(town):
        pkce = {"code_challenge": challenge, "code_challenge_method": challenge and "S256"}
        code, state = await consented(town, provider, **pkce)
        status, answer = await exchange(town, provider, code, state, code_verifier=verifier)
        assert (status == 200) is good, answer
        assert good or answer["error"] == "invalid_grant"

    play(story)


@with_pkce
def test_only_s256_is_a_challenge_method(play, provider):
    async def story(town):
        for method in ("plain", None):
            status, given = await authorize(town, provider, code_challenge=VERIFIER, code_challenge_method=method)
            assert (status, given["error"]) == (302, "invalid_request")

    play(story)


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
def test_nobody_is_sent_to_an_address_that_is_not_sound(play, provider, changes):
    async def story(town):
        assert await authorize(town, provider, **changes) == (400, {})

    play(story)


@every_provider
def test_a_request_that_is_none_of_a_code_is_refused_at_the_applications_address(play, provider):
    async def story(town):
        status, given = await authorize(town, provider, response_type="token", state="s")
        assert (status, given) == (302, {"error": "invalid_request", "state": "s"})

    play(story)


@every_provider
def test_a_token_request_that_is_none_of_a_code_is_refused(play, provider):
    async def story(town):
        code, state = await consented(town, provider)
        _, answer = await exchange(town, provider, code, state, grant_type="password")
        assert answer["error"] == "invalid_request"
        _, answer = await exchange(town, provider, None, state)
        assert answer["error"] == "invalid_request"

    play(story)


@every_provider
def test_an_unknown_or_expired_access_token_opens_nothing(play, provider):
    async def story(town):
        assert (await profile(town, provider, "nobodys"))[0] == 401
        token = await signed_in(town, provider)
        town.ahead = timedelta(hours=1)
        status, answer = await profile(town, provider, token["access_token"])
        assert status == 401
        assert {"kakao": "code", "naver": "resultcode", "google": "error"}[provider] in answer

    play(story)


def test_googles_id_token_verifies_with_the_keys_its_discovery_names(play):
    async def story(town):
        _, found = await town.call("GET", "/.well-known/openid-configuration")
        assert found["issuer"] == town.url
        assert found["authorization_endpoint"] == f"{town.url}/o/oauth2/v2/auth"
        _, keys = await town.call("GET", urlsplit(found["jwks_uri"]).path)
        token = (await signed_in(town, "google", nonce="n-1"))["id_token"]
        key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
        client = town.settings.google_client_id
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=client, issuer=town.url)
        assert claims["nonce"] == "n-1"
        assert {"sub", "email", "email_verified", "name", "iat", "exp", "azp"} <= claims.keys()
        assert "nonce" not in jwt.decode(
            (await signed_in(town, "google"))["id_token"], options={"verify_signature": False}
        )

    play(story)


@every_provider
def test_faults_strike_every_step_in_html_and_spare_the_choosing_of_a_person(play, provider):
    async def story(town):
        token = await signed_in(town, provider)
        code, state = await consented(town, provider)
        await town.fault("error")
        assert (await authorize(town, provider))[0] == 500
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        for method, path in (("POST", PATHS[provider].token), ("GET", PATHS[provider].profile)):
            async with town.session.request(method, town.url + path, headers=headers) as answer:
                assert (answer.status, answer.content_type) == (500, "text/html")
        assert (await town.call("POST", f"/sandbox/oauth/{provider}/person", {"id": "1"}))[0] == 200
        await town.fault("none")
        assert (await exchange(town, provider, code, state))[0] == 200

    play(story)

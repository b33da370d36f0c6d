"""A social sign-in begins and ends here, once, with the same provider, and at our own front end (AUTH-007)."""

from itertools import count

import pytest

from common.domain.shared_errors import DomainError, InvalidInput
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import Profile, Provider
from functions.auth.usecases.oauth_flow import Begun, Flow, OAuthFlow

ORIGINS = ["https://shop.example", "http://localhost:5173"]
HONG = Profile("1234", "hong@example.com", "홍길동")


class Town:
    """The providers and the kept flows in one."""

    def __init__(self) -> None:
        self.kept: dict[str, Flow] = {}
        self.asked: list[tuple[Flow, str, str]] = []
        secrets = (f"secret-{n}" for n in count())
        self.flow = OAuthFlow(self, self, ORIGINS, lambda: next(secrets))

    def keep(self, state: str, flow: Flow) -> None:
        self.kept[state] = flow

    def take(self, state: str) -> Flow | None:
        return self.kept.pop(state, None)

    def authorization_url(self, flow: Flow, state: str) -> str:
        return f"https://{flow.provider}.example/authorize?state={state}&redirect_uri={flow.redirect_uri}"

    def profile(self, flow: Flow, state: str, code: str) -> Profile:
        self.asked.append((flow, state, code))
        return HONG

    def begun(self, redirect_uri: str | None = None, provider: Provider = Provider.KAKAO) -> Begun:
        return self.flow.begin(provider, redirect_uri)

    def refused(self, provider: Provider, state: str) -> type[DomainError]:
        with pytest.raises(DomainError) as refusal:
            self.flow.finish(provider, state, "code")
        assert self.asked == []
        return type(refusal.value)


def test_whom_the_provider_saw_is_told_to_whoever_brings_state_and_code() -> None:
    town = Town()
    begun = town.begun()
    (flow,) = town.kept.values()
    assert town.flow.finish(Provider.KAKAO, begun.state, "code") == HONG
    assert town.asked == [(flow, begun.state, "code")]
    assert flow.verifier not in begun.authorization_url
    assert flow.verifier != begun.state


def test_a_state_is_good_once() -> None:
    town = Town()
    state = town.begun().state
    town.flow.finish(Provider.KAKAO, state, "code")
    town.asked.clear()
    assert town.refused(Provider.KAKAO, state) is OAuthFailed


@pytest.mark.parametrize("state", ["", "nobody's", "secret-0"])
def test_a_state_nobody_was_given_is_refused(state: str) -> None:
    assert Town().refused(Provider.KAKAO, state) is OAuthFailed


def test_a_state_of_another_provider_is_refused_and_spent() -> None:
    town = Town()
    state = town.begun(provider=Provider.KAKAO).state
    assert town.refused(Provider.NAVER, state) is OAuthFailed
    assert town.refused(Provider.KAKAO, state) is OAuthFailed


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (None, "https://shop.example/oauth/callback"),
        ("https://shop.example/oauth/callback", "https://shop.example/oauth/callback"),
        ("http://localhost:5173/any/page?from=mail", "http://localhost:5173/any/page?from=mail"),
        ("https://shop.example", "https://shop.example"),
    ],
)
def test_the_browser_comes_back_to_the_front_end(asked: str | None, sent: str) -> None:
    town = Town()
    town.begun(asked)
    (flow,) = town.kept.values()
    assert flow.redirect_uri == sent


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "/oauth/callback",
        "//shop.example/x",
        "https://evil.example/oauth/callback",
        "https://shop.example.evil.example/",
        "https://evil.example/https://shop.example/",
        "https://shop.example@evil.example/",
        "https://user:pass@shop.example/",
        "https://shop.example:8443/",
        "http://shop.example/",
        "HTTPS://SHOP.EXAMPLE/",
        "https://shop.example\\@evil.example/",
        "https://evil.example\\@shop.example/",
        "https:\\\\shop.example/",
        "https://shop.example/x#token",
        "https://shop.\texample/",
        "https://shop.example/\r\nLocation: https://evil.example",
        "https://shop.example/ x",
        "https://shop.example\u3002evil.example/",
        "https://ѕhop.example/",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,https://shop.example",
        "https://[shop.example/",
        "null",
    ],
)
def test_the_browser_is_sent_to_no_page_that_is_not_the_front_ends(hostile: str) -> None:
    town = Town()
    with pytest.raises(DomainError) as refusal:
        town.begun(hostile)
    assert type(refusal.value) is InvalidInput
    assert refusal.value.details == [{"field": "redirectUri", "reason": "must be a page of an allowed origin"}]
    assert town.kept == {}


def test_nothing_secret_of_a_flow_is_ever_shown() -> None:
    town = Town()
    town.begun()
    (flow,) = town.kept.values()
    assert flow.verifier not in repr(flow)
    assert not any(secret in repr(HONG) for secret in ("1234", "hong", "홍길동"))

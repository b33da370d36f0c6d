"""A social sign-in begins and ends here, once, with the same provider, and at our own front end (AUTH-007)."""

from itertools import count

import pytest

from common.domain.shared_errors import DomainError, InvalidInput
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import OAuthAttempt, Provider, SocialProfile
from functions.auth.usecases.oauth_flow import OAuthFlow, OAuthStart

ORIGINS = ["https://shop.example", "http://localhost:5173"]
HONG = SocialProfile("1234", "hong@example.com", "홍길동")


class Fakes:
    """The providers and the kept flows in one."""

    def __init__(self) -> None:
        self.kept: dict[str, OAuthAttempt] = {}
        self.asked: list[tuple[OAuthAttempt, str, str]] = []
        secrets = (f"secret-{n}" for n in count())
        self.flow = OAuthFlow(self, self, ORIGINS, lambda: next(secrets))

    def save(self, state: str, flow: OAuthAttempt) -> None:
        self.kept[state] = flow

    def take(self, state: str) -> OAuthAttempt | None:
        return self.kept.pop(state, None)

    def authorization_url(self, flow: OAuthAttempt, state: str) -> str:
        return f"https://{flow.provider}.example/authorize?state={state}&redirect_uri={flow.redirect_uri}"

    def profile(self, flow: OAuthAttempt, state: str, code: str) -> SocialProfile:
        self.asked.append((flow, state, code))
        return HONG

    def begun(self, redirect_uri: str | None = None, provider: Provider = Provider.KAKAO) -> OAuthStart:
        return self.flow.begin(provider, redirect_uri)

    def refused(self, provider: Provider, state: str) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.flow.finish(provider, state, "code")
        assert self.asked == []
        return type(error.value)


def test_whom_the_provider_saw_is_told_to_whoever_brings_state_and_code() -> None:
    fakes = Fakes()
    begun = fakes.begun()
    (flow,) = fakes.kept.values()
    assert fakes.flow.finish(Provider.KAKAO, begun.state, "code") == HONG
    assert fakes.asked == [(flow, begun.state, "code")]
    assert flow.verifier not in begun.authorization_url
    assert flow.verifier != begun.state


def test_a_state_is_good_once() -> None:
    fakes = Fakes()
    state = fakes.begun().state
    fakes.flow.finish(Provider.KAKAO, state, "code")
    fakes.asked.clear()
    assert fakes.refused(Provider.KAKAO, state) is OAuthFailed


@pytest.mark.parametrize("state", ["", "nobody's", "secret-0"])
def test_a_state_nobody_was_given_is_refused(state: str) -> None:
    assert Fakes().refused(Provider.KAKAO, state) is OAuthFailed


def test_a_state_of_another_provider_is_refused_and_spent() -> None:
    fakes = Fakes()
    state = fakes.begun(provider=Provider.KAKAO).state
    assert fakes.refused(Provider.NAVER, state) is OAuthFailed
    assert fakes.refused(Provider.KAKAO, state) is OAuthFailed


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
    fakes = Fakes()
    fakes.begun(asked)
    (flow,) = fakes.kept.values()
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
    fakes = Fakes()
    with pytest.raises(DomainError) as error:
        fakes.begun(hostile)
    assert type(error.value) is InvalidInput
    assert error.value.details == [{"field": "redirectUri", "reason": "must be a page of an allowed origin"}]
    assert fakes.kept == {}


def test_nothing_secret_of_a_flow_is_ever_shown() -> None:
    fakes = Fakes()
    fakes.begun()
    (flow,) = fakes.kept.values()
    assert flow.verifier not in repr(flow)
    assert not any(secret in repr(HONG) for secret in ("1234", "hong", "홍길동"))

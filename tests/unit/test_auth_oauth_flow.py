"""A social login begins and ends here, once, with the same provider and at our front end (AUTH-007)."""

from itertools import count

import pytest

from common.domain.shared_errors import DomainError, InvalidInput
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import OAuthAttempt, Provider, SocialProfile
from functions.auth.usecases.oauth_flow import OAuthFlow, OAuthStart

ORIGINS = ["https://shop.example", "http://localhost:5173"]
HONG = SocialProfile("1234", "hong@example.com", "홍길동")


class Fakes:
    """Providers and states in one."""

    def __init__(self) -> None:
        self.saved: dict[str, OAuthAttempt] = {}
        self.calls: list[tuple[OAuthAttempt, str, str]] = []
        secrets = (f"secret-{n}" for n in count())
        self.flow = OAuthFlow(self, self, ORIGINS, lambda: next(secrets))

    def save(self, state: str, flow: OAuthAttempt) -> None:
        self.saved[state] = flow

    def take(self, state: str) -> OAuthAttempt | None:
        return self.saved.pop(state, None)

    def authorization_url(self, flow: OAuthAttempt, state: str) -> str:
        return f"https://{flow.provider}.example/authorize?state={state}&redirect_uri={flow.redirect_uri}"

    def profile(self, flow: OAuthAttempt, state: str, code: str) -> SocialProfile:
        self.calls.append((flow, state, code))
        return HONG

    def begun(self, redirect_uri: str | None = None, provider: Provider = Provider.KAKAO) -> OAuthStart:
        return self.flow.begin(provider, redirect_uri)

    def error_of(self, provider: Provider, state: str) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.flow.finish(provider, state, "code")
        assert self.calls == []
        return type(error.value)


def test_state_and_code_return_the_person_that_the_provider_reports() -> None:
    fakes = Fakes()
    begun = fakes.begun()
    (flow,) = fakes.saved.values()
    assert fakes.flow.finish(Provider.KAKAO, begun.state, "code") == HONG
    assert fakes.calls == [(flow, begun.state, "code")]
    assert flow.verifier not in begun.authorization_url
    assert flow.verifier != begun.state


def test_a_state_works_once() -> None:
    fakes = Fakes()
    state = fakes.begun().state
    fakes.flow.finish(Provider.KAKAO, state, "code")
    fakes.calls.clear()
    assert fakes.error_of(Provider.KAKAO, state) is OAuthFailed


@pytest.mark.parametrize("state", ["", "unknown", "secret-0"])
def test_an_unknown_state_is_rejected(state: str) -> None:
    assert Fakes().error_of(Provider.KAKAO, state) is OAuthFailed


def test_a_state_of_another_provider_is_rejected_and_spent() -> None:
    fakes = Fakes()
    state = fakes.begun(provider=Provider.KAKAO).state
    assert fakes.error_of(Provider.NAVER, state) is OAuthFailed
    assert fakes.error_of(Provider.KAKAO, state) is OAuthFailed


@pytest.mark.parametrize(
    ("requested", "saved"),
    [
        (None, "https://shop.example/oauth/callback"),
        ("https://shop.example/oauth/callback", "https://shop.example/oauth/callback"),
        ("http://localhost:5173/any/page?from=mail", "http://localhost:5173/any/page?from=mail"),
        ("https://shop.example", "https://shop.example"),
    ],
)
def test_the_browser_returns_to_the_front_end(requested: str | None, saved: str) -> None:
    fakes = Fakes()
    fakes.begun(requested)
    (flow,) = fakes.saved.values()
    assert flow.redirect_uri == saved


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
def test_the_browser_is_never_sent_to_a_page_outside_the_front_end(hostile: str) -> None:
    fakes = Fakes()
    with pytest.raises(DomainError) as error:
        fakes.begun(hostile)
    assert type(error.value) is InvalidInput
    assert error.value.details == [{"field": "redirectUri", "reason": "must be a page of an allowed origin"}]
    assert fakes.saved == {}


def test_printing_an_attempt_shows_none_of_its_secrets() -> None:
    fakes = Fakes()
    fakes.begun()
    (flow,) = fakes.saved.values()
    assert flow.verifier not in repr(flow)
    assert not any(secret in repr(HONG) for secret in ("1234", "hong", "홍길동"))

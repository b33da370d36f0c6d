"""Who can log in through a provider, and who cannot (AUTH-007)."""

from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest

from common.domain.ids import UserId
from common.domain.shared_errors import DomainError, ServiceUnavailable
from functions.auth.domain.account import AccountStatus, LinkedAccount, Role
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import InvalidCredentials, OAuthFailed
from functions.auth.domain.login_record import LoginMethod
from functions.auth.domain.session import TokenPair
from functions.auth.domain.social_identity import LinkOffer, Provider, SocialIdentity, SocialProfile
from functions.auth.usecases.social_login import SocialLogin

CALLER = Caller("203.0.113.7", "a browser")
ACCOUNT = LinkedAccount(UserId(UUID(int=7)), Role.USER, AccountStatus.ACTIVE)
PAIR = TokenPair("access", "refresh", 3600)


@dataclass
class Fakes:
    """Everything that a social login calls, with the calls in order."""

    account_found: LinkedAccount | None = None
    flow_raises: type[DomainError] | None = None
    session_raises: type[DomainError] | None = None
    happened: list[object] = field(default_factory=list)

    def finish(self, provider: Provider, state: str, code: str) -> SocialProfile:
        self.happened.append((provider, state, code))
        if self.flow_raises:
            raise self.flow_raises()
        return SocialProfile("1234", "victim@example.com", "길동")

    def lookup(self, kind: str, text: str) -> bytes:
        return f"{kind}/{text}".encode()

    def account(self, identity: SocialIdentity) -> LinkedAccount | None:
        self.happened.append(identity)
        return self.account_found

    def issue(self, identity: SocialIdentity) -> str:
        self.happened.append("link token")
        return "link-token"

    def succeeded(self, user_id: UserId, caller: Caller, method: LoginMethod) -> None:
        self.happened.append((user_id, caller, method))

    def open(self, user_id: UserId, role: Role) -> TokenPair:
        self.happened.append((user_id, role))
        if self.session_raises:
            raise self.session_raises()
        return PAIR

    def log_in(self, provider: Provider = Provider.NAVER) -> TokenPair | LinkOffer:
        service = SocialLogin(self, self.lookup, self, self, self, self)
        return service.log_in(provider, "state", "code", CALLER)

    def error_of(self) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.log_in()
        return type(error.value)


@pytest.mark.parametrize("provider", list(Provider))
def test_a_linked_person_logs_in_and_it_is_recorded_before_the_session_opens(provider: Provider) -> None:
    fakes = Fakes(ACCOUNT)
    assert fakes.log_in(provider) == PAIR
    assert fakes.happened == [
        (provider, "state", "code"),
        SocialIdentity(provider, f"oauth:{provider}/1234".encode()),
        (ACCOUNT.user_id, CALLER, LoginMethod(provider.name)),
        (ACCOUNT.user_id, Role.USER),
    ]


def test_a_person_without_a_linked_account_gets_a_link_token_and_no_session() -> None:
    fakes = Fakes()
    assert fakes.log_in() == LinkOffer("link-token", "victim@example.com", "길동")
    assert fakes.happened[-1] == "link token"


def test_a_dormant_account_can_log_in() -> None:
    assert Fakes(replace(ACCOUNT, status=AccountStatus.DORMANT)).log_in() == PAIR


def test_a_withdrawn_account_gets_the_same_error_as_any_failure() -> None:
    fakes = Fakes(replace(ACCOUNT, status=AccountStatus.WITHDRAWN))
    assert fakes.error_of() is OAuthFailed
    assert len(fakes.happened) == 2  # neither history, session nor link token


def test_an_account_withdrawn_meanwhile_gets_the_same_error() -> None:
    assert Fakes(ACCOUNT, session_raises=InvalidCredentials).error_of() is OAuthFailed


@pytest.mark.parametrize("problem", [OAuthFailed, ServiceUnavailable])
def test_no_account_is_looked_up_if_the_provider_reports_no_person(problem: type[DomainError]) -> None:
    fakes = Fakes(ACCOUNT, flow_raises=problem)
    assert fakes.error_of() is problem
    assert len(fakes.happened) == 1


def test_printing_a_link_offer_shows_neither_token_nor_person() -> None:
    shown = repr(Fakes().log_in())
    assert not any(secret in shown for secret in ("link-token", "victim", "길동"))

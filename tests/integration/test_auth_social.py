"""Social sign-in with the sandbox's Kakao, Naver and Google, on a real Postgres and Redis: whoever races, replays or
mixes up gets in nowhere (AUTH-007)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import count
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.domain.shared_errors import DomainError, ServiceUnavailable, TokenInvalid
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.auth.adapters import dormant_data_repository as dormancy
from functions.auth.adapters.clients.oauth_providers import ClientCredentials, OAuthProviders
from functions.auth.adapters.link_token_redis import LinkTokens
from functions.auth.adapters.login_history_repository import LoginHistoryRepository
from functions.auth.adapters.oauth_state_redis import OAuthStates
from functions.auth.adapters.social_identity_repository import SocialIdentityRepository
from functions.auth.domain.account import Account, NewAccount, Role
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import AlreadyLinked, OAuthFailed
from functions.auth.domain.session import TokenPair
from functions.auth.domain.social_identity import LinkOffer, Provider, SocialIdentity
from functions.auth.usecases.login_history import LoginHistory
from functions.auth.usecases.oauth_flow import OAuthFlow
from functions.auth.usecases.social_linking import SocialLinking
from functions.auth.usecases.social_login import SocialLogin
from functions.auth.wiring.oauth_flow import OAuthSettings, provider_configs
from local.sandbox.settings import Settings
from tests.auth_service import START, AuthService
from tests.concurrently import concurrently
from tests.vault_in_memory import vault_in_memory
from tools.demo.buyer import eventually

CALLER = Caller("203.0.113.7", "a browser")
ORIGIN = "http://localhost:5173"
SANDBOX = Settings()
every_provider = pytest.mark.parametrize("provider", list(Provider))
subjects = count(1000)


class Door:
    """The social way in, over connections of its own."""

    def __init__(self, service: AuthService, database: Database, redis: Client, sandbox_url: str) -> None:
        self.service = service
        self.redis = redis
        urls = ("kakao_auth_url", "kakao_api_url", "naver_auth_url", "naver_api_url", "google_url")
        settings = OAuthSettings(allowed_origins="", **dict.fromkeys(urls, sandbox_url))
        self.http = httpx.Client(timeout=1)
        providers = OAuthProviders(self.http, provider_configs(settings, self.http), _registered, lambda _: nullcontext)
        self.flow = OAuthFlow(providers, OAuthStates(redis), [ORIGIN], partial(token_urlsafe, 32))
        self.identities, self.link_tokens = SocialIdentityRepository(database), LinkTokens(redis)
        vault = vault_in_memory()
        history = LoginHistory(LoginHistoryRepository(database, vault), lambda: service.now, new_id)
        self._sign_in = SocialLogin(
            self.flow, vault.lookup, self.identities, self.link_tokens, history, service.sessions
        )
        self.linking = SocialLinking(self.identities, self.link_tokens, lambda: service.now)
        self._sandbox_url = sandbox_url

    def chooses(self, provider: Provider, subject: str, **more: Any) -> None:
        """The person who consents next."""
        body = {"id": subject, **more}
        self.http.post(f"{self._sandbox_url}/sandbox/oauth/{provider}/person", json=body).raise_for_status()

    def consent(self, provider: Provider) -> tuple[str, str]:
        """State and code a browser comes back with."""
        answer = self.http.get(self.flow.begin(provider, None).authorization_url)
        assert answer.status_code == 302
        back = urlsplit(answer.headers["Location"])
        assert back.geturl().startswith(f"{ORIGIN}/oauth/callback?")
        query = parse_qs(back.query)
        return query["state"][0], query["code"][0]

    def call_back(self, provider: Provider, state: str, code: str) -> TokenPair | LinkOffer:
        return self._sign_in.log_in(provider, state, code, CALLER)

    def log_in(self, provider: Provider) -> TokenPair | LinkOffer:
        return self.call_back(provider, *self.consent(provider))

    def offered(self, provider: Provider, subject: str | None = None) -> LinkOffer:
        self.chooses(provider, subject or str(next(subjects)))
        offer = self.log_in(provider)
        assert isinstance(offer, LinkOffer)
        return offer


def _registered(provider: Provider) -> ClientCredentials:
    return ClientCredentials(getattr(SANDBOX, f"{provider}_client_id"), getattr(SANDBOX, f"{provider}_client_secret"))


NewDoor = Callable[[], Door]


@pytest.fixture
def new_door(
    new_service: Callable[[], AuthService], database_of: Callable[[str], Database], redis: Client, sandbox_url: str
) -> Iterator[NewDoor]:
    made: list[Door] = []

    def make() -> Door:
        made.append(Door(new_service(), database_of("user_service"), redis, sandbox_url))
        return made[-1]

    yield make
    for door in made:
        door.http.put(f"{sandbox_url}/sandbox/faults", json={"mode": "none"})
        door.http.close()


@pytest.fixture
def door(new_door: NewDoor) -> Door:
    return new_door()


def refused(call: Callable[[], object]) -> type[DomainError]:
    with pytest.raises(DomainError) as error:
        call()
    return type(error.value)


def linked(superuser: Database) -> list[UUID]:
    return [row["user_id"] for row in superuser.rows("SELECT user_id FROM user_service.social_identities")]


def problems(outcomes: list[Any]) -> set[type[DomainError]]:
    return {type(outcome) for outcome in outcomes if isinstance(outcome, DomainError)}


# -- what must hold, however many try at once ----------------------------------------------------------------------


@every_provider
def test_of_many_who_come_back_with_one_state_exactly_one_gets_in(new_door: NewDoor, provider: Provider) -> None:
    doors = [new_door() for _ in range(5)]
    for _ in range(4):
        state, code = doors[0].consent(provider)
        outcomes = concurrently([partial(door.call_back, provider, state, code) for door in doors])
        assert len([outcome for outcome in outcomes if isinstance(outcome, LinkOffer)]) == 1
        assert problems(outcomes) == {OAuthFailed}


def test_of_many_accounts_that_claim_one_person_at_once_exactly_one_is_linked(
    new_door: NewDoor, superuser: Database
) -> None:
    doors = [new_door() for _ in range(5)]
    for attempt in range(6):
        subject, users = (
            str(next(subjects)),
            [door.service.register(f"{attempt}-{n}@b.co") for n, door in enumerate(doors)],
        )
        tokens = [door.offered(Provider.KAKAO, subject).link_token for door in doors]
        claims = [
            partial(door.linking.link, user, token) for door, user, token in zip(doors, users, tokens, strict=True)
        ]
        outcomes = concurrently(claims)
        assert outcomes.count(None) == 1
        assert problems(outcomes) == {AlreadyLinked}
        winner = users[outcomes.index(None)]
        assert linked(superuser).count(winner) == 1
        assert set(users) & set(linked(superuser)) == {winner}


def test_of_many_accounts_that_come_with_one_link_token_at_once_exactly_one_is_linked(
    new_door: NewDoor, superuser: Database
) -> None:
    doors = [new_door() for _ in range(5)]
    users = [door.service.register(f"{n}@b.co") for n, door in enumerate(doors)]
    token = doors[0].offered(Provider.NAVER).link_token
    outcomes = concurrently([partial(door.linking.link, user, token) for door, user in zip(doors, users, strict=True)])
    assert outcomes.count(None) == 1
    assert problems(outcomes) <= {AlreadyLinked, OAuthFailed}
    assert linked(superuser) == [users[outcomes.index(None)]]


def test_an_account_that_is_given_many_people_of_one_provider_at_once_gets_one(
    new_door: NewDoor, superuser: Database
) -> None:
    doors = [new_door() for _ in range(5)]
    user = doors[0].service.register()
    tokens = [door.offered(Provider.GOOGLE).link_token for door in doors]
    outcomes = concurrently(
        [partial(door.linking.link, user, token) for door, token in zip(doors, tokens, strict=True)]
    )
    assert outcomes.count(None) == 1
    assert problems(outcomes) == {AlreadyLinked}
    assert linked(superuser) == [user]


def test_of_many_registrations_with_one_person_at_once_one_is_let_through_and_nothing_is_left_of_the_others(
    new_door: NewDoor, superuser: Database
) -> None:
    doors = [new_door() for _ in range(5)]
    identity = SocialIdentity(Provider.KAKAO, b"somebody")

    def register(door: Door, n: int) -> None:
        account = Account(UserId(new_id()), f"{n}@b.co", "홍길동", None, Role.USER, START)
        door.service.accounts.add(
            NewAccount(account, f"ci-{n}", "a hash", identity_verification_id=f"v-{n}", social=identity)
        )

    outcomes = concurrently([partial(register, door, n) for n, door in enumerate(doors)])
    assert outcomes.count(None) == 1
    assert problems(outcomes) == {AlreadyLinked}
    (row,) = superuser.rows("SELECT id FROM user_service.users")
    assert linked(superuser) == [row["id"]]
    assert len(superuser.rows("SELECT 1 FROM user_service.spent_identity_verifications")) == 1


def test_a_link_that_a_withdrawal_is_ahead_of_does_not_come_to_be(
    door: Door, superuser: Database, postgres_url: str
) -> None:
    user, watcher = door.service.register(), Database(postgres_url)
    token = door.offered(Provider.KAKAO).link_token
    with ThreadPoolExecutor(1) as pool:
        with superuser.transaction() as connection:
            connection.execute("UPDATE user_service.users SET status = 'WITHDRAWN', withdrawn_at = now()")
            link = pool.submit(door.linking.link, user, token)
            eventually(
                lambda: watcher.rows("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), lambda found: found
            )
        assert refused(link.result) is TokenInvalid
    watcher.close()
    assert linked(superuser) == []


# -- signing in --------------------------------------------------------------------------------------------------


@every_provider
def test_a_linked_person_signs_in_and_the_history_says_how(door: Door, superuser: Database, provider: Provider) -> None:
    user = door.service.register()
    door.linking.link(user, door.offered(provider, "4711").link_token)
    door.chooses(provider, "4711", email="another@example.com", name="New Name")
    pair = door.log_in(provider)
    assert isinstance(pair, TokenPair)
    assert UUID(pair.access_token.split()[1]) == user
    (row,) = superuser.rows("SELECT user_id, method, success, suspicious FROM user_service.login_history")
    assert tuple(row.values()) == (user, provider.name, True, False)


@every_provider
def test_another_person_of_the_same_address_and_name_gets_nothing_but_a_link_token(
    door: Door, provider: Provider
) -> None:
    user = door.service.register("victim@example.com")
    door.linking.link(user, door.offered(provider, "1").link_token)
    door.chooses(provider, "2", email="victim@example.com", name="홍길동")
    offer = door.log_in(provider)
    assert isinstance(offer, LinkOffer)
    assert (offer.email, offer.name) == ("victim@example.com", "홍길동")


def test_the_same_id_at_another_provider_is_another_person(door: Door) -> None:
    door.linking.link(door.service.register(), door.offered(Provider.KAKAO, "77").link_token)
    for provider in (Provider.NAVER, Provider.GOOGLE):
        assert door.offered(provider, "77").link_token


def test_an_account_may_have_one_person_of_each_provider(door: Door, superuser: Database) -> None:
    user = door.service.register()
    for provider in Provider:
        door.linking.link(user, door.offered(provider).link_token)
    assert linked(superuser) == [user] * 3


def test_a_dormant_account_wakes_and_a_withdrawn_one_does_not(door: Door, superuser: Database) -> None:
    user = door.service.register()
    door.linking.link(user, door.offered(Provider.KAKAO, "5").link_token)
    with superuser.transaction() as connection:
        dormancy.separate(connection, [user], START)
    assert door.service.accounts.account(user) is None
    door.chooses(Provider.KAKAO, "5")
    assert isinstance(door.log_in(Provider.KAKAO), TokenPair)
    assert door.service.accounts.account(user) is not None

    assert door.service.changes.withdraw(user, "a hash", START)
    door.chooses(Provider.KAKAO, "5")
    assert refused(partial(door.log_in, Provider.KAKAO)) is OAuthFailed


def test_an_account_no_longer_in_use_is_linked_with_nobody(door: Door, superuser: Database) -> None:
    user = door.service.register()
    token = door.offered(Provider.KAKAO).link_token
    door.service.changes.withdraw(user, "a hash", START)
    assert refused(partial(door.linking.link, user, token)) is TokenInvalid
    assert refused(partial(door.linking.link, UserId(new_id()), token)) is TokenInvalid
    assert linked(superuser) == []


# -- attacks -----------------------------------------------------------------------------------------------------


@every_provider
def test_a_code_is_good_once_with_whatever_state(door: Door, provider: Provider) -> None:
    state, code = door.consent(provider)
    door.call_back(provider, state, code)
    assert refused(partial(door.call_back, provider, state, code)) is OAuthFailed
    another_state, _ = door.consent(provider)
    assert refused(partial(door.call_back, provider, another_state, code)) is OAuthFailed


@every_provider
def test_a_code_of_another_flow_is_worth_nothing(door: Door, provider: Provider) -> None:
    """A stolen code put into a flow of one's own, or one's own code into another's flow (RFC 9700, 4.5)."""
    _, stolen = door.consent(provider)
    mine, _ = door.consent(provider)
    assert refused(partial(door.call_back, provider, mine, stolen)) is OAuthFailed


def test_a_state_of_one_provider_is_worth_nothing_at_another(door: Door) -> None:
    state, code = door.consent(Provider.KAKAO)
    assert refused(partial(door.call_back, Provider.GOOGLE, state, code)) is OAuthFailed
    assert refused(partial(door.call_back, Provider.KAKAO, state, code)) is OAuthFailed


@pytest.mark.parametrize("state", ["", "nobody's", "}{", "\x00", "a b", "x" * 200, "한글"])
def test_a_state_nobody_was_given_is_refused(door: Door, state: str) -> None:
    _, code = door.consent(Provider.KAKAO)
    assert refused(partial(door.call_back, Provider.KAKAO, state, code)) is OAuthFailed


@every_provider
@pytest.mark.parametrize("code", ["nobody's", "\x00", "한글", "a&client_id=b", "x" * 2048])
def test_a_code_nobody_was_given_is_refused(door: Door, provider: Provider, code: str) -> None:
    state, _ = door.consent(provider)
    assert refused(partial(door.call_back, provider, state, code)) is OAuthFailed


@pytest.mark.parametrize("token", ["", "nobody's", "}{", "\x00", "한글"])
def test_a_link_token_nobody_was_given_links_nobody(door: Door, superuser: Database, token: str) -> None:
    assert refused(partial(door.linking.link, door.service.register(), token)) is OAuthFailed
    assert linked(superuser) == []


def test_a_link_token_links_once(door: Door) -> None:
    token = door.offered(Provider.KAKAO).link_token
    door.linking.link(door.service.register("a@b.co"), token)
    assert refused(partial(door.linking.link, door.service.register("b@b.co"), token)) is OAuthFailed


def test_states_and_link_tokens_die_within_ten_minutes_and_are_not_to_be_read_in_redis(door: Door) -> None:
    state, _ = door.consent(Provider.KAKAO)
    token = door.offered(Provider.NAVER).link_token
    keys = [str(key) for key in door.redis.scan_iter("oauth:*")]
    assert len(keys) == 2
    assert all(590 <= int(str(door.redis.ttl(key))) <= 600 for key in keys)
    assert not any(secret in key for key in keys for secret in (state, token))


def test_a_dump_of_the_table_shows_nobodys_id(door: Door, superuser: Database) -> None:
    door.linking.link(door.service.register(), door.offered(Provider.KAKAO, "8675309").link_token)
    (row,) = superuser.rows("SELECT social_identities::text AS dump FROM user_service.social_identities")
    assert "8675309" not in row["dump"]
    assert b"8675309".hex() not in row["dump"]


# -- a provider that fails -----------------------------------------------------------------------------------------


@every_provider
@pytest.mark.parametrize("plan", [{"mode": "error"}, {"mode": "timeout"}, {"mode": "slow", "latencyMs": 3000}])
def test_a_provider_that_fails_is_an_outage_and_the_flow_begins_anew(
    door: Door, sandbox_url: str, provider: Provider, plan: dict[str, Any]
) -> None:
    state, code = door.consent(provider)
    door.http.put(f"{sandbox_url}/sandbox/faults", json=plan).raise_for_status()
    assert refused(partial(door.call_back, provider, state, code)) is ServiceUnavailable
    door.http.put(f"{sandbox_url}/sandbox/faults", json={"mode": "none"}).raise_for_status()
    assert refused(partial(door.call_back, provider, state, code)) is OAuthFailed
    assert isinstance(door.log_in(provider), LinkOffer)


def test_while_google_is_away_no_flow_begins(new_door: NewDoor, sandbox_url: str) -> None:
    door = new_door()
    door.http.put(f"{sandbox_url}/sandbox/faults", json={"mode": "error"}).raise_for_status()
    assert refused(partial(door.flow.begin, Provider.GOOGLE, None)) is ServiceUnavailable
    assert list(door.redis.scan_iter("oauth:*")) == []

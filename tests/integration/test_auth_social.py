"""Social login with the sandbox's Kakao, Naver and Google, on a real Postgres and Redis: no race condition,
replay or mix-up leads to a login (AUTH-007)."""

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
from tests.support.concurrently import concurrently
from tests.support.fakes.in_memory_vault import in_memory_vault
from tests.support.fixtures.auth_service import START, AuthService
from tools.demo.buyer import eventually

CALLER = Caller("203.0.113.7", "a browser")
ORIGIN = "http://localhost:5173"
SANDBOX = Settings()
every_provider = pytest.mark.parametrize("provider", list(Provider))
subjects = count(1000)


class SocialClient:
    """Social login with its own connections."""

    def __init__(self, service: AuthService, database: Database, redis: Client, sandbox_url: str) -> None:
        self.service = service
        self.redis = redis
        urls = ("kakao_auth_url", "kakao_api_url", "naver_auth_url", "naver_api_url", "google_url")
        settings = OAuthSettings(allowed_origins="", **dict.fromkeys(urls, sandbox_url))
        self.http = httpx.Client(timeout=1)
        providers = OAuthProviders(
            self.http, provider_configs(settings, self.http), _credentials, lambda _: nullcontext
        )
        self.flow = OAuthFlow(providers, OAuthStates(redis), [ORIGIN], partial(token_urlsafe, 32))
        self.identities, self.link_tokens = SocialIdentityRepository(database), LinkTokens(redis)
        vault = in_memory_vault()
        history = LoginHistory(LoginHistoryRepository(database, vault), lambda: service.now, new_id)
        self._login = SocialLogin(self.flow, vault.lookup, self.identities, self.link_tokens, history, service.sessions)
        self.linking = SocialLinking(self.identities, self.link_tokens, lambda: service.now)
        self._sandbox_url = sandbox_url

    def set_person(self, provider: Provider, subject: str, **fields: Any) -> None:
        """Sets the person who consents next."""
        body = {"id": subject, **fields}
        self.http.post(f"{self._sandbox_url}/sandbox/oauth/{provider}/person", json=body).raise_for_status()

    def consent(self, provider: Provider) -> tuple[str, str]:
        """The state and the code that the browser returns with."""
        answer = self.http.get(self.flow.begin(provider, None).authorization_url)
        assert answer.status_code == 302
        back = urlsplit(answer.headers["Location"])
        assert back.geturl().startswith(f"{ORIGIN}/oauth/callback?")
        query = parse_qs(back.query)
        return query["state"][0], query["code"][0]

    def call_back(self, provider: Provider, state: str, code: str) -> TokenPair | LinkOffer:
        return self._login.log_in(provider, state, code, CALLER)

    def log_in(self, provider: Provider) -> TokenPair | LinkOffer:
        return self.call_back(provider, *self.consent(provider))

    def get_link_offer(self, provider: Provider, subject: str | None = None) -> LinkOffer:
        self.set_person(provider, subject or str(next(subjects)))
        offer = self.log_in(provider)
        assert isinstance(offer, LinkOffer)
        return offer


def _credentials(provider: Provider) -> ClientCredentials:
    return ClientCredentials(getattr(SANDBOX, f"{provider}_client_id"), getattr(SANDBOX, f"{provider}_client_secret"))


NewClient = Callable[[], SocialClient]


@pytest.fixture
def new_client(
    new_service: Callable[[], AuthService], database_of: Callable[[str], Database], redis: Client, sandbox_url: str
) -> Iterator[NewClient]:
    clients: list[SocialClient] = []

    def new() -> SocialClient:
        clients.append(SocialClient(new_service(), database_of("user_service"), redis, sandbox_url))
        return clients[-1]

    yield new
    for client in clients:
        client.http.put(f"{sandbox_url}/sandbox/faults", json={"mode": "none"})
        client.http.close()


@pytest.fixture
def client(new_client: NewClient) -> SocialClient:
    return new_client()


def error_of(call: Callable[[], object]) -> type[DomainError]:
    with pytest.raises(DomainError) as error:
        call()
    return type(error.value)


def linked_users(superuser: Database) -> list[UUID]:
    return [row["user_id"] for row in superuser.rows("SELECT user_id FROM user_service.social_identities")]


def error_types(outcomes: list[Any]) -> set[type[DomainError]]:
    return {type(outcome) for outcome in outcomes if isinstance(outcome, DomainError)}


# -- what must hold under concurrency ----------------------------------------------------------------------


@every_provider
def test_of_many_requests_with_one_state_exactly_one_succeeds(new_client: NewClient, provider: Provider) -> None:
    clients = [new_client() for _ in range(5)]
    for _ in range(4):
        state, code = clients[0].consent(provider)
        outcomes = concurrently([partial(client.call_back, provider, state, code) for client in clients])
        assert len([outcome for outcome in outcomes if isinstance(outcome, LinkOffer)]) == 1
        assert error_types(outcomes) == {OAuthFailed}


def test_of_many_accounts_that_link_one_person_at_once_exactly_one_is_linked(
    new_client: NewClient, superuser: Database
) -> None:
    clients = [new_client() for _ in range(5)]
    for attempt in range(6):
        subject, users = (
            str(next(subjects)),
            [client.service.register(f"{attempt}-{n}@b.co") for n, client in enumerate(clients)],
        )
        tokens = [client.get_link_offer(Provider.KAKAO, subject).link_token for client in clients]
        links = [
            partial(client.linking.link, user, token)
            for client, user, token in zip(clients, users, tokens, strict=True)
        ]
        outcomes = concurrently(links)
        assert outcomes.count(None) == 1
        assert error_types(outcomes) == {AlreadyLinked}
        linked_user = users[outcomes.index(None)]
        assert linked_users(superuser).count(linked_user) == 1
        assert set(users) & set(linked_users(superuser)) == {linked_user}


def test_of_many_accounts_with_one_link_token_at_once_exactly_one_is_linked(
    new_client: NewClient, superuser: Database
) -> None:
    clients = [new_client() for _ in range(5)]
    users = [client.service.register(f"{n}@b.co") for n, client in enumerate(clients)]
    token = clients[0].get_link_offer(Provider.NAVER).link_token
    outcomes = concurrently(
        [partial(client.linking.link, user, token) for client, user in zip(clients, users, strict=True)]
    )
    assert outcomes.count(None) == 1
    assert error_types(outcomes) <= {AlreadyLinked, OAuthFailed}
    assert linked_users(superuser) == [users[outcomes.index(None)]]


def test_an_account_that_links_many_people_of_one_provider_at_once_gets_one(
    new_client: NewClient, superuser: Database
) -> None:
    clients = [new_client() for _ in range(5)]
    user = clients[0].service.register()
    tokens = [client.get_link_offer(Provider.GOOGLE).link_token for client in clients]
    outcomes = concurrently(
        [partial(client.linking.link, user, token) for client, token in zip(clients, tokens, strict=True)]
    )
    assert outcomes.count(None) == 1
    assert error_types(outcomes) == {AlreadyLinked}
    assert linked_users(superuser) == [user]


def test_of_many_registrations_with_one_person_at_once_one_succeeds_and_the_others_store_nothing(
    new_client: NewClient, superuser: Database
) -> None:
    clients = [new_client() for _ in range(5)]
    identity = SocialIdentity(Provider.KAKAO, b"a person")

    def register(client: SocialClient, n: int) -> None:
        account = Account(UserId(new_id()), f"{n}@b.co", "홍길동", None, Role.USER, START)
        client.service.accounts.add(
            NewAccount(account, f"ci-{n}", "a hash", identity_verification_id=f"v-{n}", social=identity)
        )

    outcomes = concurrently([partial(register, client, n) for n, client in enumerate(clients)])
    assert outcomes.count(None) == 1
    assert error_types(outcomes) == {AlreadyLinked}
    (row,) = superuser.rows("SELECT id FROM user_service.users")
    assert linked_users(superuser) == [row["id"]]
    assert len(superuser.rows("SELECT 1 FROM user_service.spent_identity_verifications")) == 1


def test_a_link_that_waits_for_a_withdrawal_fails(client: SocialClient, superuser: Database, postgres_url: str) -> None:
    user, observer = client.service.register(), Database(postgres_url)
    token = client.get_link_offer(Provider.KAKAO).link_token
    with ThreadPoolExecutor(1) as pool:
        with superuser.transaction() as connection:
            connection.execute("UPDATE user_service.users SET status = 'WITHDRAWN', withdrawn_at = now()")
            link = pool.submit(client.linking.link, user, token)
            eventually(
                lambda: observer.rows("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
                lambda found: found,
            )
        assert error_of(link.result) is TokenInvalid
    observer.close()
    assert linked_users(superuser) == []


# -- logging in --------------------------------------------------------------------------------------------------


@every_provider
def test_a_linked_person_logs_in_and_the_history_has_the_method(
    client: SocialClient, superuser: Database, provider: Provider
) -> None:
    user = client.service.register()
    client.linking.link(user, client.get_link_offer(provider, "4711").link_token)
    client.set_person(provider, "4711", email="another@example.com", name="New Name")
    pair = client.log_in(provider)
    assert isinstance(pair, TokenPair)
    assert UUID(pair.access_token.split()[1]) == user
    (row,) = superuser.rows("SELECT user_id, method, success, suspicious FROM user_service.login_history")
    assert tuple(row.values()) == (user, provider.name, True, False)


@every_provider
def test_another_person_with_the_same_address_and_name_gets_only_a_link_token(
    client: SocialClient, provider: Provider
) -> None:
    user = client.service.register("victim@example.com")
    client.linking.link(user, client.get_link_offer(provider, "1").link_token)
    client.set_person(provider, "2", email="victim@example.com", name="홍길동")
    offer = client.log_in(provider)
    assert isinstance(offer, LinkOffer)
    assert (offer.email, offer.name) == ("victim@example.com", "홍길동")


def test_the_same_id_at_another_provider_is_another_person(client: SocialClient) -> None:
    client.linking.link(client.service.register(), client.get_link_offer(Provider.KAKAO, "77").link_token)
    for provider in (Provider.NAVER, Provider.GOOGLE):
        assert client.get_link_offer(provider, "77").link_token


def test_an_account_can_have_one_person_of_each_provider(client: SocialClient, superuser: Database) -> None:
    user = client.service.register()
    for provider in Provider:
        client.linking.link(user, client.get_link_offer(provider).link_token)
    assert linked_users(superuser) == [user] * 3


def test_a_dormant_account_can_log_in_and_a_withdrawn_one_cannot(client: SocialClient, superuser: Database) -> None:
    user = client.service.register()
    client.linking.link(user, client.get_link_offer(Provider.KAKAO, "5").link_token)
    with superuser.transaction() as connection:
        dormancy.separate(connection, [user], START)
    assert client.service.accounts.account(user) is None
    client.set_person(Provider.KAKAO, "5")
    assert isinstance(client.log_in(Provider.KAKAO), TokenPair)
    assert client.service.accounts.account(user) is not None

    assert client.service.changes.withdraw(user, "a hash", START)
    client.set_person(Provider.KAKAO, "5")
    assert error_of(partial(client.log_in, Provider.KAKAO)) is OAuthFailed


def test_a_withdrawn_account_cannot_be_linked(client: SocialClient, superuser: Database) -> None:
    user = client.service.register()
    token = client.get_link_offer(Provider.KAKAO).link_token
    client.service.changes.withdraw(user, "a hash", START)
    assert error_of(partial(client.linking.link, user, token)) is TokenInvalid
    assert error_of(partial(client.linking.link, UserId(new_id()), token)) is TokenInvalid
    assert linked_users(superuser) == []


# -- attacks -----------------------------------------------------------------------------------------------------


@every_provider
def test_a_code_works_once_with_any_state(client: SocialClient, provider: Provider) -> None:
    state, code = client.consent(provider)
    client.call_back(provider, state, code)
    assert error_of(partial(client.call_back, provider, state, code)) is OAuthFailed
    another_state, _ = client.consent(provider)
    assert error_of(partial(client.call_back, provider, another_state, code)) is OAuthFailed


@every_provider
def test_a_code_of_another_flow_is_rejected(client: SocialClient, provider: Provider) -> None:
    """A stolen code in the attacker's flow, or the attacker's code in another flow (RFC 9700, 4.5)."""
    _, stolen = client.consent(provider)
    own_state, _ = client.consent(provider)
    assert error_of(partial(client.call_back, provider, own_state, stolen)) is OAuthFailed


def test_a_state_of_one_provider_is_rejected_at_another(client: SocialClient) -> None:
    state, code = client.consent(Provider.KAKAO)
    assert error_of(partial(client.call_back, Provider.GOOGLE, state, code)) is OAuthFailed
    assert error_of(partial(client.call_back, Provider.KAKAO, state, code)) is OAuthFailed


@pytest.mark.parametrize("state", ["", "unknown", "}{", "\x00", "a b", "x" * 200, "한글"])
def test_an_unknown_state_is_rejected(client: SocialClient, state: str) -> None:
    _, code = client.consent(Provider.KAKAO)
    assert error_of(partial(client.call_back, Provider.KAKAO, state, code)) is OAuthFailed


@every_provider
@pytest.mark.parametrize("code", ["unknown", "\x00", "한글", "a&client_id=b", "x" * 2048])
def test_an_unknown_code_is_rejected(client: SocialClient, provider: Provider, code: str) -> None:
    state, _ = client.consent(provider)
    assert error_of(partial(client.call_back, provider, state, code)) is OAuthFailed


@pytest.mark.parametrize("token", ["", "unknown", "}{", "\x00", "한글"])
def test_an_unknown_link_token_links_nothing(client: SocialClient, superuser: Database, token: str) -> None:
    assert error_of(partial(client.linking.link, client.service.register(), token)) is OAuthFailed
    assert linked_users(superuser) == []


def test_a_link_token_links_once(client: SocialClient) -> None:
    token = client.get_link_offer(Provider.KAKAO).link_token
    client.linking.link(client.service.register("a@b.co"), token)
    assert error_of(partial(client.linking.link, client.service.register("b@b.co"), token)) is OAuthFailed


def test_states_and_link_tokens_expire_in_ten_minutes_and_redis_has_only_their_hashes(client: SocialClient) -> None:
    state, _ = client.consent(Provider.KAKAO)
    token = client.get_link_offer(Provider.NAVER).link_token
    keys = [str(key) for key in client.redis.scan_iter("oauth:*")]
    assert len(keys) == 2
    assert all(590 <= int(str(client.redis.ttl(key))) <= 600 for key in keys)
    assert not any(secret in key for key in keys for secret in (state, token))


def test_a_dump_of_the_table_shows_no_providers_id(client: SocialClient, superuser: Database) -> None:
    client.linking.link(client.service.register(), client.get_link_offer(Provider.KAKAO, "8675309").link_token)
    (row,) = superuser.rows("SELECT social_identities::text AS dump FROM user_service.social_identities")
    assert "8675309" not in row["dump"]
    assert b"8675309".hex() not in row["dump"]


# -- a provider that fails -----------------------------------------------------------------------------------------


@every_provider
@pytest.mark.parametrize("fault", [{"mode": "error"}, {"mode": "timeout"}, {"mode": "slow", "latencyMs": 3000}])
def test_a_failing_provider_is_service_unavailable_and_a_new_flow_must_begin(
    client: SocialClient, sandbox_url: str, provider: Provider, fault: dict[str, Any]
) -> None:
    state, code = client.consent(provider)
    client.http.put(f"{sandbox_url}/sandbox/faults", json=fault).raise_for_status()
    assert error_of(partial(client.call_back, provider, state, code)) is ServiceUnavailable
    client.http.put(f"{sandbox_url}/sandbox/faults", json={"mode": "none"}).raise_for_status()
    assert error_of(partial(client.call_back, provider, state, code)) is OAuthFailed
    assert isinstance(client.log_in(provider), LinkOffer)


def test_while_google_is_unavailable_no_flow_begins(new_client: NewClient, sandbox_url: str) -> None:
    client = new_client()
    client.http.put(f"{sandbox_url}/sandbox/faults", json={"mode": "error"}).raise_for_status()
    assert error_of(partial(client.flow.begin, Provider.GOOGLE, None)) is ServiceUnavailable
    assert list(client.redis.scan_iter("oauth:*")) == []

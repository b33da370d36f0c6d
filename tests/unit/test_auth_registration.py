"""Who can have an account, and the order of the checks (AUTH-001 to AUTH-005)."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from common.domain.ids import UserId
from common.domain.shared_errors import CaptchaFailed, DomainError
from functions.auth.domain.account import Account, Agreement, NewAccount, Role
from functions.auth.domain.errors import AgreementRequired, EmailTaken, IdentityNotVerified, OAuthFailed, UnderAge
from functions.auth.domain.social_identity import Provider, SocialIdentity
from functions.auth.domain.verified_person import VerifiedPerson
from functions.auth.usecases.registration import Registration, RegistrationRequest

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
KAKAO = SocialIdentity(Provider.KAKAO, b"hong")
HONG = VerifiedPerson("홍길동", "01012345678", "ci-of-hong", date(1990, 1, 31))
AGREED = (Agreement("TERMS_OF_SERVICE", "1", agreed=True), Agreement("PRIVACY", "1", agreed=True))
REQUEST = RegistrationRequest(
    email="Hong@example.com",
    password="correct-horse-7",
    name=None,
    phone=None,
    agreements=AGREED,
    captcha_token="human",
    identity_verification_id="verification",
)


class Fakes:
    """Captcha, PortOne, link tokens, accounts and hasher in one, with the calls in order."""

    def __init__(self, person: VerifiedPerson | None = HONG) -> None:
        self.calls: list[str] = []
        self.added: list[NewAccount] = []
        self._person = person
        self.service = Registration(self, self, self, self, self, lambda: NOW, lambda: UUID(int=1))

    def check(self, token: str, action: str) -> None:
        assert action == "register"
        self.calls.append("captcha")
        if token != "human":
            raise CaptchaFailed()

    def person(self, verification_id: str) -> VerifiedPerson | None:
        self.calls.append("identity")
        return self._person if verification_id == "verification" else None

    def identity(self, token: str) -> SocialIdentity:
        self.calls.append("link token")
        if token != "kakao's":
            raise OAuthFailed()
        return KAKAO

    def spend(self, token: str) -> None:
        self.calls.append("spent")

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def add(self, new: NewAccount) -> None:
        self.calls.append("accounts")
        if new.account.email == "taken@example.com":
            raise EmailTaken()
        self.added.append(new)

    def error_of(self, request: RegistrationRequest) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.service.register(request)
        assert self.added == []
        return type(error.value)


def test_a_verified_person_gets_an_account_with_every_agreement() -> None:
    fakes = Fakes()
    account = fakes.service.register(replace(REQUEST, agreements=(*AGREED, Agreement("MARKETING", "1", agreed=False))))
    assert account == Account(UserId(UUID(int=1)), "Hong@example.com", "홍길동", "01012345678", Role.USER, NOW)
    (added,) = fakes.added
    assert (added.ci, added.password_hash) == ("ci-of-hong", "hash of correct-horse-7")
    assert [agreement.code for agreement in added.agreements] == ["TERMS_OF_SERVICE", "PRIVACY", "MARKETING"]


def test_a_given_name_and_phone_replace_the_verified_ones() -> None:
    account = Fakes().service.register(replace(REQUEST, name="Gildong", phone="010-9999-8888"))
    assert (account.name, account.phone) == ("Gildong", "010-9999-8888")


@pytest.mark.parametrize(
    "agreements",
    [
        (),
        AGREED[:1],
        AGREED[1:],
        (AGREED[0], Agreement("PRIVACY", "1", agreed=False)),
        (AGREED[0], Agreement("MARKETING", "1", agreed=True)),
    ],
)
def test_without_both_required_agreements_no_other_step_runs(agreements: tuple[Agreement, ...]) -> None:
    fakes = Fakes()
    assert fakes.error_of(replace(REQUEST, agreements=agreements)) is AgreementRequired
    assert fakes.calls == []


@pytest.mark.parametrize(
    ("born", "error"),
    [(date(2012, 5, 2), UnderAge), (date(2026, 4, 1), UnderAge), (None, IdentityNotVerified), (date(2012, 5, 1), None)],
)
def test_an_account_is_for_a_person_of_fourteen_whose_age_is_known(
    born: date | None, error: type[DomainError] | None
) -> None:
    fakes = Fakes(replace(HONG, birth_date=born))
    if error is None:
        assert fakes.service.register(REQUEST)
    else:
        assert fakes.error_of(REQUEST) is error
        assert fakes.added == []


def test_a_failed_captcha_costs_no_identity_verification() -> None:
    fakes = Fakes()
    assert fakes.error_of(replace(REQUEST, captcha_token="robot")) is CaptchaFailed
    assert fakes.calls == ["captcha"]


@pytest.mark.parametrize("person", [None, replace(HONG, ci=None), replace(HONG, ci="")])
def test_a_person_who_is_not_verified_or_has_no_ci_gets_no_account(person: VerifiedPerson | None) -> None:
    fakes = Fakes(person)
    assert fakes.error_of(REQUEST) is IdentityNotVerified
    assert fakes.calls == ["captcha", "identity"]


def test_only_a_verified_person_learns_that_an_address_is_taken() -> None:
    fakes = Fakes()
    assert fakes.error_of(replace(REQUEST, email="taken@example.com")) is EmailTaken
    assert fakes.calls == ["captcha", "identity", "accounts"]


def test_printing_a_registration_shows_none_of_its_secrets() -> None:
    fakes = Fakes()
    fakes.service.register(REQUEST)
    printed = f"{REQUEST!r} {fakes.added[0]!r} {HONG!r}"
    for secret in ("correct-horse-7", "ci-of-hong", "human"):
        assert secret not in printed


def test_a_link_token_links_its_social_identity_and_is_spent_afterwards() -> None:
    fakes = Fakes()
    fakes.service.register(replace(REQUEST, link_token="kakao's"))
    assert fakes.added[0].social == KAKAO
    assert fakes.calls == ["captcha", "identity", "link token", "accounts", "spent"]


def test_an_invalid_link_token_rejects_the_whole_registration() -> None:
    assert Fakes().error_of(replace(REQUEST, link_token="unknown")) is OAuthFailed


def test_a_rejected_registration_leaves_the_link_token_for_the_next_attempt() -> None:
    fakes = Fakes()
    assert fakes.error_of(replace(REQUEST, link_token="kakao's", email="taken@example.com")) is EmailTaken
    assert "spent" not in fakes.calls

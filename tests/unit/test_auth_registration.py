"""Who may have an account, and in which order that is found out (AUTH-001 to AUTH-005)."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from common.domain.ids import UserId
from common.domain.shared_errors import CaptchaFailed, DomainError
from functions.auth.domain.account import Account, Agreement, NewAccount, Role
from functions.auth.domain.errors import AgreementRequired, EmailTaken, IdentityNotVerified, OAuthFailed
from functions.auth.domain.social_identity import Provider, SocialIdentity
from functions.auth.domain.verified_person import VerifiedPerson
from functions.auth.usecases.registration import Registration, RegistrationRequest

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
KAKAO = SocialIdentity(Provider.KAKAO, b"hong")
HONG = VerifiedPerson("홍길동", "01012345678", "ci-of-hong")
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
    """Captcha, PortOne, link tokens, the accounts and the hasher in one, with a record of who was asked."""

    def __init__(self, person: VerifiedPerson | None = HONG) -> None:
        self.asked: list[str] = []
        self.added: list[NewAccount] = []
        self._person = person
        self.service = Registration(self, self, self, self, self, lambda: NOW, lambda: UUID(int=1))

    def check(self, token: str) -> None:
        self.asked.append("captcha")
        if token != "human":
            raise CaptchaFailed()

    def person(self, verification_id: str) -> VerifiedPerson | None:
        self.asked.append("identity")
        return self._person if verification_id == "verification" else None

    def identity(self, token: str) -> SocialIdentity:
        self.asked.append("link token")
        if token != "kakao's":
            raise OAuthFailed()
        return KAKAO

    def spend(self, token: str) -> None:
        self.asked.append("spent")

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def add(self, new: NewAccount) -> None:
        self.asked.append("accounts")
        if new.account.email == "taken@example.com":
            raise EmailTaken()
        self.added.append(new)

    def refused(self, request: RegistrationRequest) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.service.register(request)
        assert self.added == []
        return type(error.value)


def test_a_verified_person_gets_an_account_with_all_that_was_agreed_to() -> None:
    fakes = Fakes()
    account = fakes.service.register(replace(REQUEST, agreements=(*AGREED, Agreement("MARKETING", "1", agreed=False))))
    assert account == Account(UserId(UUID(int=1)), "Hong@example.com", "홍길동", "01012345678", Role.USER, NOW)
    (added,) = fakes.added
    assert (added.ci, added.password_hash) == ("ci-of-hong", "hash of correct-horse-7")
    assert [agreement.code for agreement in added.agreements] == ["TERMS_OF_SERVICE", "PRIVACY", "MARKETING"]


def test_a_name_and_phone_of_ones_own_go_before_the_verified_ones() -> None:
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
def test_without_both_required_agreements_nothing_else_is_asked(agreements: tuple[Agreement, ...]) -> None:
    fakes = Fakes()
    assert fakes.refused(replace(REQUEST, agreements=agreements)) is AgreementRequired
    assert fakes.asked == []


def test_a_failed_captcha_costs_no_identity_verification() -> None:
    fakes = Fakes()
    assert fakes.refused(replace(REQUEST, captcha_token="robot")) is CaptchaFailed
    assert fakes.asked == ["captcha"]


@pytest.mark.parametrize("person", [None, replace(HONG, ci=None), replace(HONG, ci="")])
def test_someone_who_is_not_verified_or_cannot_be_told_apart_gets_no_account(person: VerifiedPerson | None) -> None:
    fakes = Fakes(person)
    assert fakes.refused(REQUEST) is IdentityNotVerified
    assert fakes.asked == ["captcha", "identity"]


def test_whether_an_address_is_taken_only_a_verified_person_learns() -> None:
    fakes = Fakes()
    assert fakes.refused(replace(REQUEST, email="taken@example.com")) is EmailTaken
    assert fakes.asked == ["captcha", "identity", "accounts"]


def test_what_is_secret_is_not_in_the_words_an_error_would_print() -> None:
    fakes = Fakes()
    fakes.service.register(REQUEST)
    printed = f"{REQUEST!r} {fakes.added[0]!r} {HONG!r}"
    for secret in ("correct-horse-7", "ci-of-hong", "human"):
        assert secret not in printed


def test_a_link_token_makes_the_person_it_stands_for_the_accounts_and_is_spent_after() -> None:
    fakes = Fakes()
    fakes.service.register(replace(REQUEST, link_token="kakao's"))
    assert fakes.added[0].social == KAKAO
    assert fakes.asked == ["captcha", "identity", "link token", "accounts", "spent"]


def test_a_link_token_that_is_not_good_refuses_the_whole_registration() -> None:
    assert Fakes().refused(replace(REQUEST, link_token="nobody's")) is OAuthFailed


def test_a_refused_registration_leaves_the_link_token_for_the_next_try() -> None:
    fakes = Fakes()
    assert fakes.refused(replace(REQUEST, link_token="kakao's", email="taken@example.com")) is EmailTaken
    assert "spent" not in fakes.asked

"""An account over HTTP: its data, its password, and every way in which a session ends."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
import pytest

from tools.demo.buyer import Api, ApiError, Buyer, log_in

pytestmark = pytest.mark.e2e

NEW_PASSWORD = "another-horse-8"


class Session:
    """A pair of tokens, and whether they still work."""

    def __init__(self, stack: dict[str, Any], tokens: dict[str, Any]) -> None:
        self.public = Api(stack["api"])
        self.api = Api(stack["api"], tokens["accessToken"])
        self.refresh_token: str = tokens["refreshToken"]
        self.id = jwt.decode(tokens["accessToken"], options={"verify_signature": False})["sid"]

    def admitted(self) -> str:
        """`yes`, or the code with which the access token is rejected."""
        return outcome(lambda: self.api("GET", "/users/me"))

    def renewed(self, device: str = "this device") -> str:
        """`yes`, or the code with which the refresh token is rejected. Call it once."""
        body, headers = {"refreshToken": self.refresh_token}, {"User-Agent": device}
        return outcome(lambda: self.public("POST", "/auth/refresh", body, headers=headers))


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except ApiError as error:
        return error.code
    return "yes"


@pytest.fixture
def registered(stack: dict[str, Any]) -> Buyer:
    """A registered buyer, with a `ci` of the test's own in the sandbox."""
    buyer = Buyer(stack["api"], stack["sandbox"])
    buyer.register(identityVerificationId=verified(buyer, f"ci of {buyer.email}"))
    return buyer


def verified(buyer: Buyer, ci: str) -> str:
    person = {"name": "김하늘", "phoneNumber": "01012345678", "birthDate": "1999-05-01", "ci": ci}
    answer: dict[str, str] = buyer.sandbox("POST", "/sandbox/identity-verifications", person)
    return answer["identityVerificationId"]


@pytest.fixture
def new_session(stack: dict[str, Any], registered: Buyer) -> Callable[[], Session]:
    """Logs `registered` in once more."""

    def make() -> Session:
        credentials = {"email": registered.email, "password": registered.password, "captchaToken": "sandbox-human"}
        return Session(stack, Api(stack["api"])("POST", "/auth/login", credentials))

    return make


NewSession = Callable[[], Session]


def test_an_account_is_read_and_edited(new_session: NewSession, registered: Buyer) -> None:
    api = new_session().api
    me = api("GET", "/users/me")
    assert sorted(me) == ["createdAt", "email", "emailVerified", "id", "name", "phone", "role"]
    assert (me["email"], me["name"], me["role"], me["emailVerified"]) == (registered.email, "김하늘", "USER", False)
    edited = api("PUT", "/users/me", {"name": "하늘"})
    assert edited == {**me, "name": "하늘"} == api("GET", "/users/me")
    for field, value in {"phone": "nonsense", "role": "ADMIN", "email": "x@example.com"}.items():
        with pytest.raises(ApiError) as error:
            api("PUT", "/users/me", {field: value})
        assert (error.value.status, error.value.code) == (400, "VALIDATION_ERROR")
        assert [fault["field"] for fault in error.value.body["details"]] == [field]


def test_a_changed_password_ends_the_other_sessions_only(
    new_session: NewSession, stack: dict[str, Any], registered: Buyer
) -> None:
    here, there = new_session(), new_session()
    assert here.id != there.id
    with pytest.raises(ApiError) as error:
        here.api("PUT", "/users/me/password", {"currentPassword": "wrong-horse-7", "newPassword": NEW_PASSWORD})
    assert (error.value.status, error.value.code) == (401, "INVALID_CREDENTIALS")
    assert there.admitted() == "yes"

    here.api("PUT", "/users/me/password", {"currentPassword": registered.password, "newPassword": NEW_PASSWORD})
    assert (there.admitted(), there.renewed()) == ("TOKEN_REVOKED", "TOKEN_INVALID")
    assert (here.admitted(), here.renewed()) == ("yes", "yes")
    assert outcome(lambda: log_in(stack["api"], registered.email, registered.password)) == "INVALID_CREDENTIALS"
    assert log_in(stack["api"], registered.email, NEW_PASSWORD)


def test_guessing_the_current_password_locks_the_session(new_session: NewSession) -> None:
    here, body = new_session(), {"currentPassword": "wrong-horse-7", "newPassword": NEW_PASSWORD}
    guesses = [outcome(lambda: here.api("PUT", "/users/me/password", body)) for _ in range(6)]
    assert guesses == ["INVALID_CREDENTIALS"] * 5 + ["ACCOUNT_LOCKED"]
    assert here.admitted() == "yes"


def test_a_verified_person_resets_the_password_and_every_session_ends(
    new_session: NewSession, stack: dict[str, Any], registered: Buyer
) -> None:
    here, there, public = new_session(), new_session(), Api(stack["api"])

    def reset(verification: str, email: str = registered.email) -> str:
        body = {"email": email, "identityVerificationId": verification, "newPassword": NEW_PASSWORD}
        return outcome(lambda: public("POST", "/auth/password/reset", body))

    own = verified(registered, f"ci of {registered.email}")
    assert reset(verified(registered, uuid4().hex)) == "IDENTITY_NOT_VERIFIED"
    assert reset(own, f"nobody-{uuid4().hex}@example.com") == "IDENTITY_NOT_VERIFIED"
    assert here.admitted() == "yes"

    assert [reset(own), reset(own)] == ["yes", "IDENTITY_NOT_VERIFIED"]
    for session in (here, there):
        assert (session.admitted(), session.renewed()) == ("TOKEN_REVOKED", "TOKEN_INVALID")
    assert log_in(stack["api"], registered.email, NEW_PASSWORD)


def test_a_withdrawn_account_ends_at_once_and_its_address_stays_taken(
    new_session: NewSession, stack: dict[str, Any], registered: Buyer
) -> None:
    here, there = new_session(), new_session()
    with pytest.raises(ApiError) as error:
        here.api("DELETE", "/users/me", {"password": "wrong-horse-7"})
    assert (error.value.status, error.value.code) == (401, "INVALID_CREDENTIALS")

    here.api("DELETE", "/users/me", {"password": registered.password})
    for session in (here, there):
        assert (session.admitted(), session.renewed()) == ("TOKEN_REVOKED", "TOKEN_INVALID")
    assert outcome(lambda: log_in(stack["api"], registered.email, registered.password)) == "INVALID_CREDENTIALS"
    assert outcome(registered.register) == "EMAIL_TAKEN"
    again = Buyer(stack["api"], stack["sandbox"])
    same_person = verified(again, f"ci of {registered.email}")
    assert outcome(lambda: again.register(identityVerificationId=same_person)) == "IDENTITY_TAKEN"


@pytest.mark.parametrize("names_its_refresh_token", [True, False])
def test_logging_out_ends_the_session_and_every_token_it_issued_and_no_other(
    new_session: NewSession, stack: dict[str, Any], names_its_refresh_token: bool
) -> None:
    first, elsewhere = new_session(), new_session()
    second = Session(stack, first.public("POST", "/auth/refresh", {"refreshToken": first.refresh_token}))
    assert second.id == first.id
    second.api("POST", "/auth/logout", {"refreshToken": second.refresh_token} if names_its_refresh_token else None)
    assert [first.admitted(), second.admitted(), second.renewed()] == [
        "TOKEN_REVOKED",
        "TOKEN_REVOKED",
        "TOKEN_INVALID",
    ]
    assert (elsewhere.admitted(), elsewhere.renewed()) == ("yes", "yes")


def test_logging_out_with_another_users_refresh_token_does_not_end_their_session(
    new_session: NewSession, new_buyer: Callable[[], Buyer]
) -> None:
    victim, here = new_buyer(), new_session()
    here.api("POST", "/auth/logout", {"refreshToken": victim.refresh_token})
    assert here.admitted() == "TOKEN_REVOKED"
    assert victim.api("GET", "/users/me")
    assert here.public("POST", "/auth/refresh", {"refreshToken": victim.refresh_token})


def test_two_tabs_that_refresh_at_once_both_stay_logged_in(new_session: NewSession) -> None:
    first = new_session()
    assert (first.renewed(), first.renewed()) == ("yes", "yes")
    assert first.admitted() == "yes"


def test_a_reused_refresh_token_ends_its_session_and_no_other(new_session: NewSession, stack: dict[str, Any]) -> None:
    stolen, elsewhere = new_session(), new_session()
    current = Session(stack, stolen.public("POST", "/auth/refresh", {"refreshToken": stolen.refresh_token}))
    assert current.admitted() == "yes"
    assert stolen.renewed("another device") == "TOKEN_REUSED"
    assert [stolen.admitted(), current.admitted(), current.renewed()] == [
        "TOKEN_REVOKED",
        "TOKEN_REVOKED",
        "TOKEN_INVALID",
    ]
    assert elsewhere.admitted() == "yes"

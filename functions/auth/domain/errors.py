"""Why the auth service rejects a request."""

from common.domain.shared_errors import DomainError


class AgreementRequired(DomainError):
    """A required agreement was not given (AUTH-002)."""

    code = "AGREEMENT_REQUIRED"


class IdentityNotVerified(DomainError):
    """The identity verification is not complete, not this person's, or was used before."""

    code = "IDENTITY_NOT_VERIFIED"


class UnderAge(DomainError):
    """The person is too young for an account without a guardian. `details` has `minimumAge`."""

    code = "UNDER_AGE"


class EmailTaken(DomainError):
    """Another account has this e-mail address."""

    code = "EMAIL_TAKEN"


class IdentityTaken(DomainError):
    """This person already has an account."""

    code = "IDENTITY_TAKEN"


class InvalidCredentials(DomainError):
    """The e-mail address or the password is wrong; the error does not say which."""

    code = "INVALID_CREDENTIALS"


class AccountLocked(DomainError):
    """Too many wrong passwords (AUTH-006). `retry_after` says when to try again."""

    code = "ACCOUNT_LOCKED"


class OAuthFailed(DomainError):
    """The provider did not confirm the login, or its state or link token is not valid."""

    code = "OAUTH_FAILED"


class AlreadyLinked(DomainError):
    """The social identity belongs to an account already, or the account has one of this provider."""

    code = "ALREADY_LINKED"


class CodeInvalid(DomainError):
    """The e-mail code is wrong or has expired."""

    code = "CODE_INVALID"


class TokenReused(DomainError):
    """The refresh token was used before; its session has ended."""

    code = "TOKEN_REUSED"

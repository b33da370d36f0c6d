"""What the accounts service refuses, besides the common token problems."""

from common.domain.problem import Problem

AGREEMENT_REQUIRED = Problem(
    "AGREEMENT_REQUIRED", 422, "필수 약관에 동의해 주세요.", "The required terms have not been agreed to."
)
IDENTITY_NOT_VERIFIED = Problem(
    "IDENTITY_NOT_VERIFIED", 422, "본인인증이 완료되지 않았습니다.", "The identity verification is not complete."
)
EMAIL_TAKEN = Problem("EMAIL_TAKEN", 409, "이미 사용 중인 이메일입니다.", "The e-mail address is already in use.")
IDENTITY_TAKEN = Problem("IDENTITY_TAKEN", 409, "이미 가입된 사용자입니다.", "This person already has an account.")
INVALID_CREDENTIALS = Problem(
    "INVALID_CREDENTIALS",
    401,
    "이메일 또는 비밀번호가 올바르지 않습니다.",
    "The e-mail address or the password is wrong.",
)
ACCOUNT_LOCKED = Problem(
    "ACCOUNT_LOCKED",
    423,
    "비밀번호가 여러 번 틀려 잠시 로그인할 수 없습니다. 잠시 후 다시 시도해 주세요.",
    "Too many wrong passwords. Try again later.",
)
OAUTH_FAILED = Problem(
    "OAUTH_FAILED",
    401,
    "소셜 로그인에 실패했습니다. 처음부터 다시 시도해 주세요.",
    "The social sign-in failed. Start it again.",
)
ALREADY_LINKED = Problem(
    "ALREADY_LINKED",
    409,
    "이미 연결된 소셜 계정입니다.",
    "This social account is linked already, or the account has another one of this provider.",
)
CODE_INVALID = Problem(
    "CODE_INVALID",
    422,
    "인증 코드가 올바르지 않거나 만료되었습니다.",
    "The code is wrong or has expired.",
)
TOKEN_REUSED = Problem(
    "TOKEN_REUSED",
    401,
    "이미 사용된 인증 정보입니다. 다시 로그인해 주세요.",
    "The refresh token was already used, so its sign-in has been ended. Sign in again.",
)

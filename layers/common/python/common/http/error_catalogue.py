"""The HTTP status of each error code and the texts that people read: Korean, or English by `Accept-Language`.

A code has one status and one text, whichever service raises it (`docs/api.md`, Errors).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogueEntry:
    status: int
    ko: str
    en: str

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.ko


ERROR_CATALOGUE = {
    "VALIDATION_ERROR": CatalogueEntry(400, "입력값이 올바르지 않습니다.", "The input is not valid."),
    "TOKEN_MISSING": CatalogueEntry(401, "로그인이 필요합니다.", "Log in first."),
    "TOKEN_EXPIRED": CatalogueEntry(401, "로그인이 만료되었습니다.", "The login has expired."),
    "TOKEN_INVALID": CatalogueEntry(401, "인증 정보가 올바르지 않습니다.", "The token is not valid."),
    "TOKEN_REVOKED": CatalogueEntry(401, "로그아웃된 인증 정보입니다.", "The token has been revoked."),
    "SERVICE_KEY_INVALID": CatalogueEntry(401, "서비스 키가 올바르지 않습니다.", "The service key is not valid."),
    "CAPTCHA_FAILED": CatalogueEntry(
        403, "자동 입력 방지 확인에 실패했습니다. 다시 시도해 주세요.", "The captcha was not passed. Try again."
    ),
    "CAPTCHA_REQUIRED": CatalogueEntry(
        403,
        "자동 입력 방지 확인이 필요합니다. X-Captcha-Token 헤더에 담아 다시 보내 주세요.",
        "Pass a captcha and send this again with its token in X-Captcha-Token.",
    ),
    "BOT_SUSPECTED": CatalogueEntry(
        403, "비정상적인 접근으로 판단되어 요청을 처리할 수 없습니다.", "The request looks automated and was rejected."
    ),
    "FORBIDDEN": CatalogueEntry(403, "권한이 없습니다.", "Not allowed."),
    "NOT_FOUND": CatalogueEntry(404, "찾을 수 없습니다.", "Not found."),
    "PAYLOAD_TOO_LARGE": CatalogueEntry(413, "요청이 너무 큽니다.", "The request is too large."),
    "UNSUPPORTED_MEDIA_TYPE": CatalogueEntry(415, "application/json 형식으로 보내 주세요.", "Send application/json."),
    "INTERNAL_ERROR": CatalogueEntry(500, "일시적인 오류가 발생했습니다.", "Something went wrong on our side."),
    "SERVICE_UNAVAILABLE": CatalogueEntry(
        503, "일시적으로 이용할 수 없습니다. 잠시 후 다시 시도해 주세요.", "Temporarily unavailable. Try again shortly."
    ),
    "RATE_LIMITED": CatalogueEntry(
        429, "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.", "Too many requests. Try again shortly."
    ),
    "QUEUE_TOKEN_MISSING": CatalogueEntry(
        401, "대기열 토큰이 필요합니다.", "A queue token is needed in X-Queue-Token."
    ),
    "QUEUE_TOKEN_INVALID": CatalogueEntry(
        401, "대기열 토큰이 없거나 만료되었습니다.", "The queue token is unknown, spent or expired."
    ),
    "QUEUE_TOKEN_MISMATCH": CatalogueEntry(
        403,
        "이 요청에 사용할 수 없는 대기열 토큰입니다.",
        "The queue token belongs to another user, event, reservation or step.",
    ),
    "AGREEMENT_REQUIRED": CatalogueEntry(
        422, "필수 약관에 동의해 주세요.", "The required terms have not been agreed to."
    ),
    "IDENTITY_NOT_VERIFIED": CatalogueEntry(
        422, "본인인증이 완료되지 않았습니다.", "The identity verification is not complete."
    ),
    "UNDER_AGE": CatalogueEntry(
        422, "만 14세 미만은 가입할 수 없습니다.", "An account can be opened from the age of 14."
    ),
    "EMAIL_TAKEN": CatalogueEntry(409, "이미 사용 중인 이메일입니다.", "The e-mail address is already in use."),
    "IDENTITY_TAKEN": CatalogueEntry(409, "이미 가입된 사용자입니다.", "This person already has an account."),
    "INVALID_CREDENTIALS": CatalogueEntry(
        401, "이메일 또는 비밀번호가 올바르지 않습니다.", "The e-mail address or the password is wrong."
    ),
    "ACCOUNT_LOCKED": CatalogueEntry(
        423,
        "비밀번호가 여러 번 틀려 잠시 로그인할 수 없습니다. 잠시 후 다시 시도해 주세요.",
        "Too many wrong passwords. Try again later.",
    ),
    "OAUTH_FAILED": CatalogueEntry(
        401, "소셜 로그인에 실패했습니다. 처음부터 다시 시도해 주세요.", "The social login failed. Start it again."
    ),
    "ALREADY_LINKED": CatalogueEntry(
        409,
        "이미 연결된 소셜 계정입니다.",
        "This social account is already linked, or the account has another one of this provider.",
    ),
    "ACCOUNT_IN_USE": CatalogueEntry(
        409,
        "관람할 티켓이나 진행 중인 예매·결제가 있어 탈퇴할 수 없습니다.",
        "There are tickets to come, holds or payments under way. Cancel them, or withdraw with cancelReservations.",
    ),
    "ACCOUNT_CLOSING": CatalogueEntry(
        409, "탈퇴가 진행 중인 계정입니다.", "The account is being withdrawn; no seats are held for it."
    ),
    "CODE_INVALID": CatalogueEntry(
        422, "인증 코드가 올바르지 않거나 만료되었습니다.", "The code is wrong or has expired."
    ),
    "TOKEN_REUSED": CatalogueEntry(
        401,
        "이미 사용된 인증 정보입니다. 다시 로그인해 주세요.",
        "The refresh token was already used, so its session has been ended. Log in again.",
    ),
    "SEAT_NOT_FOUND": CatalogueEntry(404, "해당 공연의 좌석이 아닙니다.", "The event has no such seat."),
    "VENUE_IN_USE": CatalogueEntry(
        409, "예정되거나 진행 중인 공연이 있는 공연장입니다.", "The venue has events that are not over."
    ),
    "HALL_IN_USE": CatalogueEntry(
        409, "예정되거나 진행 중인 공연이 있는 홀입니다.", "The hall has events that are not over."
    ),
    "SALE_STARTED": CatalogueEntry(
        409, "예매가 시작되어 변경할 수 없는 항목입니다.", "The sale has started; this cannot be changed any more."
    ),
    "SALE_NOT_STARTED": CatalogueEntry(
        409,
        "예매가 시작되지 않은 공연은 일정을 직접 수정할 수 있습니다.",
        "The sale has not started; edit the event's times instead.",
    ),
    "EVENT_HAS_RESERVATIONS": CatalogueEntry(
        409,
        "예매가 있는 공연은 삭제할 수 없습니다. 공연 취소를 이용해 주세요.",
        "An event with reservations cannot be deleted; cancel it instead.",
    ),
    "EVENT_CANCELLED": CatalogueEntry(409, "취소된 공연입니다.", "The event is cancelled."),
    "EVENT_ENDED": CatalogueEntry(409, "종료된 공연입니다.", "The event is over."),
    "PRECONDITION_FAILED": CatalogueEntry(
        412,
        "다른 사람이 먼저 수정했습니다. 새로 고침 후 다시 시도해 주세요.",
        "Somebody else has changed this since you read it.",
    ),
    "SEAT_LIST_TOO_LARGE": CatalogueEntry(
        406,
        "좌석이 너무 많아 한 번에 보여 줄 수 없습니다. /seats/layout과 /seats/status를 이용해 주세요.",
        "Too many seats for one answer; read /seats/layout and /seats/status instead.",
    ),
    "SALE_NOT_OPEN": CatalogueEntry(409, "아직 예매가 시작되지 않았습니다.", "The sale has not opened yet."),
    "SALE_CLOSED": CatalogueEntry(409, "예매가 종료되었습니다.", "The sale is over."),
    "SOLD_OUT": CatalogueEntry(409, "모든 좌석이 매진되었습니다.", "Every seat is sold."),
    "ALREADY_WAITING": CatalogueEntry(
        409, "이미 다른 공연의 대기열에 있습니다.", "You are in the queue for another event; leave that queue first."
    ),
    "NOT_IN_QUEUE": CatalogueEntry(404, "대기열에 없습니다.", "You are not in this queue."),
    "QUEUE_FULL": CatalogueEntry(
        503, "대기열이 가득 찼습니다. 잠시 후 다시 시도해 주세요.", "The queue is full. Try again shortly."
    ),
    "SEAT_TAKEN": CatalogueEntry(409, "이미 선택된 좌석입니다.", "Some of these seats are taken."),
    "TOO_MANY_SEATS": CatalogueEntry(
        409, "예매할 수 있는 좌석 수를 초과했습니다.", "These are more seats than you may reserve for this event."
    ),
    "TOO_MANY_HOLDS": CatalogueEntry(
        409,
        "좌석을 너무 여러 번 선택했습니다. 대기열에 다시 들어가 주세요.",
        "This admission has held seats too often. Enter the queue again.",
    ),
    "HOLD_EXISTS": CatalogueEntry(
        409, "이미 선점한 좌석이 있습니다.", "You hold seats for this event already; change or release that hold."
    ),
    "HOLD_EXPIRED": CatalogueEntry(
        409,
        "좌석 선점 시간이 만료되었습니다. 결제된 금액이 있으면 전액 환불됩니다.",
        "The hold on these seats has expired. Anything already paid is refunded in full.",
    ),
    "NOT_CANCELLABLE": CatalogueEntry(
        409, "공연 당일에는 취소할 수 없습니다.", "A reservation cannot be cancelled on the day of the event."
    ),
    "CANCELLATION_FEE_CHANGED": CatalogueEntry(
        409,
        "취소 수수료가 변경되었습니다. 금액을 확인하고 다시 취소해 주세요.",
        "The cancellation fee has changed. Check the amounts and cancel again.",
    ),
    "NOT_RELEASABLE": CatalogueEntry(
        409, "이미 확정되었거나 취소된 예매입니다.", "The reservation is already confirmed or cancelled."
    ),
    "PAYMENT_STARTED": CatalogueEntry(
        409, "결제가 진행 중입니다.", "A payment for this reservation is being approved."
    ),
    "PAYMENT_KEY_REUSED": CatalogueEntry(
        409, "이미 다른 결제에 사용된 paymentKey입니다.", "This paymentKey belongs to another payment."
    ),
    "PAYMENT_IN_PROGRESS": CatalogueEntry(
        409, "이미 진행 중인 결제가 있습니다.", "A payment for this reservation is in progress."
    ),
    "PAYMENT_NOT_COMPLETED": CatalogueEntry(409, "결제가 완료되지 않았습니다.", "The payment has not been completed."),
    "PAYMENT_FAILED": CatalogueEntry(402, "결제에 실패했습니다.", "The payment failed."),
    "AMOUNT_MISMATCH": CatalogueEntry(
        409,
        "결제 금액이 일치하지 않아 결제가 취소되었습니다.",
        "The amount paid was not the amount due; the payment has been cancelled.",
    ),
    "SIGNATURE_INVALID": CatalogueEntry(401, "서명이 올바르지 않습니다.", "The signature is not valid."),
    "PAYMENT_NOT_STARTED": CatalogueEntry(
        503,
        "결제를 시작하지 못했습니다. 결제된 금액은 없습니다. 잠시 후 다시 시도해 주세요.",
        "The payment could not be started and nothing was paid. Try again shortly.",
    ),
    "PAYMENT_UNAVAILABLE": CatalogueEntry(
        503,
        "결제 서비스에 연결할 수 없습니다. 다시 결제하지 말고 예매 내역에서 결과를 확인해 주세요.",
        "The payment provider cannot be reached. Do not pay again; look at your reservations for the outcome.",
    ),
    "PAYMENT_TIMEOUT": CatalogueEntry(
        504,
        "결제 결과를 확인하고 있습니다. 다시 결제하지 말고 잠시 후 예매 내역을 확인해 주세요.",
        "The outcome is not known yet. Do not pay again; look at your reservations in a moment.",
    ),
}

"""What a payment is refused for. Where the outcome is unknown the words keep people from paying twice (GW-022)."""

from common.domain.problem import Problem

PAYMENT_KEY_REUSED = Problem(
    "PAYMENT_KEY_REUSED",
    409,
    "이미 다른 결제에 사용된 paymentKey입니다.",
    "This paymentKey belongs to another payment.",
)
PAYMENT_IN_PROGRESS = Problem(
    "PAYMENT_IN_PROGRESS", 409, "이미 진행 중인 결제가 있습니다.", "A payment for this reservation is under way."
)
PAYMENT_NOT_COMPLETED = Problem(
    "PAYMENT_NOT_COMPLETED", 409, "결제가 완료되지 않았습니다.", "The payment has not been completed."
)
PAYMENT_FAILED = Problem("PAYMENT_FAILED", 402, "결제에 실패했습니다.", "The payment failed.")
AMOUNT_MISMATCH = Problem(
    "AMOUNT_MISMATCH",
    409,
    "결제 금액이 일치하지 않아 결제가 취소되었습니다.",
    "The amount paid was not the amount due; the payment has been cancelled.",
)
HOLD_EXPIRED = Problem(
    "HOLD_EXPIRED",
    409,
    "좌석 선점 시간이 만료되었습니다. 결제된 금액이 있으면 전액 환불됩니다.",
    "The hold on the seats has ended. Anything already paid is refunded in full.",
)
SIGNATURE_INVALID = Problem("SIGNATURE_INVALID", 401, "서명이 올바르지 않습니다.", "The signature is not valid.")
PAYMENT_UNAVAILABLE = Problem(
    "PAYMENT_UNAVAILABLE",
    503,
    "결제 서비스에 연결할 수 없습니다. 다시 결제하지 말고 예매 내역에서 결과를 확인해 주세요.",
    "The payment provider cannot be reached. Do not pay again; look at your reservations for the outcome.",
)
PAYMENT_TIMEOUT = Problem(
    "PAYMENT_TIMEOUT",
    504,
    "결제 결과를 확인하고 있습니다. 다시 결제하지 말고 잠시 후 예매 내역을 확인해 주세요.",
    "The outcome is not known yet. Do not pay again; look at your reservations in a moment.",
)

"""Mail through Amazon SES (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)."""

from functools import cached_property
from typing import Any

from common.domain.shared_errors import ServiceUnavailable
from common.runtime.log import log

SUBJECT = {"ko": "이메일 인증 코드", "en": "Your e-mail verification code"}
TEXT = {
    "ko": "인증 코드: {code}\n\n10분 안에 입력해 주세요. 요청하지 않으셨다면 이 메일을 무시하셔도 됩니다.\n",
    "en": "Your code: {code}\n\nEnter it within ten minutes. If you did not ask for it, ignore this mail.\n",
}


class Mailer:
    """`sender` is an address that SES has verified, or one of a domain that it has verified."""

    def __init__(self, sender: str) -> None:
        self._sender = sender

    @cached_property
    def _client(self) -> Any:
        # Imported here: boto3 adds 400 ms to a cold start, and most requests within a minute send no mail.
        import boto3
        from botocore.config import Config

        # A second attempt may send the mail twice, which is better than not at all.
        config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2})
        return boto3.client("sesv2", config=config)

    def send_code(self, address: str, code: str, language: str) -> None:
        """`language` is ko or en. Raises ServiceUnavailable."""
        simple = {
            "Subject": {"Data": SUBJECT[language], "Charset": "UTF-8"},
            "Body": {"Text": {"Data": TEXT[language].format(code=code), "Charset": "UTF-8"}},
        }
        try:
            self._client.send_email(
                FromEmailAddress=self._sender, Destination={"ToAddresses": [address]}, Content={"Simple": simple}
            )
        except Exception as error:
            # Without its text: SES quotes addresses.
            log.error("mail not sent", extra={"error": type(error).__name__})
            raise ServiceUnavailable(retry_after=5) from None

"""Sends messages to an SQS queue, given by its ARN, at an AWS endpoint (here moto)."""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp


class QueueError(Exception):
    """The queue did not accept a message."""


class Queue:
    """One queue. It is created at its first message if the endpoint does not have it.

    Uses SQS's JSON protocol directly: importing boto3 would take as long as the rest of the emulator's start.
    """

    def __init__(self, arn: str, endpoint: str) -> None:
        self.arn = arn
        *_, self._region, _, self._name = arn.split(":")
        self._endpoint = endpoint.rstrip("/") + "/"
        self._url: str | None = None

    async def send(self, body: str, attributes: Mapping[str, str] | None = None) -> None:
        """Sends one message. Raises QueueError."""
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
                if self._url is None:
                    self._url = await self._find(session)
                message: dict[str, Any] = {"QueueUrl": self._url, "MessageBody": body}
                if attributes:
                    message["MessageAttributes"] = {
                        name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                    }
                status, text = await self._call(session, "SendMessage", message)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise QueueError(f"{self.arn} at {self._endpoint}: {type(error).__name__}: {error}") from error
        if status != 200:
            self._url = None  # an endpoint without persistence may have restarted
            raise QueueError(f"{self.arn} at {self._endpoint}: HTTP {status}: {text[:300]}")

    async def _find(self, session: aiohttp.ClientSession) -> str:
        status, text = await self._call(session, "GetQueueUrl", {"QueueName": self._name})
        if status != 200 and ("QueueDoesNotExist" in text or "NonExistentQueue" in text):
            status, text = await self._call(session, "CreateQueue", {"QueueName": self._name})
        if status != 200:
            raise QueueError(f"{self.arn} at {self._endpoint}: HTTP {status}: {text[:300]}")
        return str(json.loads(text)["QueueUrl"])

    async def _call(self, session: aiohttp.ClientSession, action: str, body: Mapping[str, Any]) -> tuple[int, str]:
        scope = f"local/20260101/{self._region}/sqs/aws4_request"  # moto reads the region and the service from it
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{action}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }
        async with session.post(self._endpoint, data=json.dumps(body), headers=headers) as response:
            return response.status, await response.text()

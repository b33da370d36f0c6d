"""Hands a share of the queues over to another invocation of the admitter itself."""

import json
from dataclasses import asdict
from typing import Any

from functions.admitter.domain.admission import QueueShare


class ShareInvoker:
    def __init__(self) -> None:
        self._lambda: Any = None

    def invoke(self, function: str, share: QueueShare) -> None:
        """`function` is the admitter's own ARN."""
        if self._lambda is None:
            import boto3  # only a run with more queues than it can move alone needs it

            self._lambda = boto3.client("lambda")
        payload = json.dumps({"share": asdict(share)})
        self._lambda.invoke(FunctionName=function, InvocationType="Event", Payload=payload)

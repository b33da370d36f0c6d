"""The one logger: JSON lines with the trace id, into CloudWatch (GW-011).

Log what happened and the ids it happened to; never a body, a header or a token.
"""

from aws_lambda_powertools import Logger

log = Logger(utc=True)

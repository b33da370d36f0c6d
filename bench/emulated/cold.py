"""A function that imports what ours do."""

from typing import Any

import aws_lambda_powertools
import psycopg
import pydantic
import redis

VERSIONS = [aws_lambda_powertools.__name__, psycopg.__version__, pydantic.VERSION, redis.__version__]


def handler(event: dict[str, Any], context: object) -> list[str]:
    """Says what it imported."""
    return VERSIONS

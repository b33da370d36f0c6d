"""`describe`, with packages that have extension modules and import each other circularly."""

import psycopg
import redis
from describe import handler

__all__ = ["handler", "psycopg", "redis"]

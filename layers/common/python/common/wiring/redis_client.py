"""This function's Redis client."""

from functools import cache

from common.runtime.settings import Settings
from common.stores.redis import Client, connect


class RedisSettings(Settings):
    redis_url: str
    redis_cluster: bool = True  # ElastiCache Serverless speaks cluster mode only


@cache
def redis_client() -> Client:
    settings = RedisSettings.from_environment()
    return connect(settings.redis_url, cluster=settings.redis_cluster)

"""The bot check."""

from functools import cache

from common.domain.clock import utc_now
from common.protection.bot_check import BotCheck
from common.protection.cloud_ranges import CloudRanges
from common.wiring.redis_client import redis_client


def _check_captcha(token: str) -> None:
    from common.wiring.captcha_client import captcha_client  # loads httpx, which only suspected requests need

    captcha_client().check(token, "bot_check")


@cache
def bot_checker() -> BotCheck:
    return BotCheck(redis_client(), utc_now, CloudRanges.from_file(), _check_captcha)

"""Registration."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.protection.captcha import captcha
from common.stores import redis
from functions.auth.adapters.link_token_redis import LinkTokens
from functions.auth.usecases.registration import Registration
from functions.auth.wiring.identity_verification import identity_verifications
from functions.auth.wiring.passwords import password_hasher
from functions.auth.wiring.personal_data import accounts


@cache
def registration() -> Registration:
    link_tokens = LinkTokens(redis.client())
    return Registration(
        captcha(), identity_verifications(), link_tokens, accounts(), password_hasher(), utc_now, new_id
    )

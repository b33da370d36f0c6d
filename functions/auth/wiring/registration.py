"""Registration."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.wiring.captcha_client import captcha_client
from common.wiring.redis_client import redis_client
from functions.auth.adapters.link_token_redis import LinkTokens
from functions.auth.usecases.registration import Registration
from functions.auth.wiring.identity_verification import identity_verifications
from functions.auth.wiring.passwords import password_hasher
from functions.auth.wiring.personal_data import accounts


@cache
def registration() -> Registration:
    link_tokens = LinkTokens(redis_client())
    return Registration(
        captcha_client(), identity_verifications(), link_tokens, accounts(), password_hasher(), utc_now, new_id
    )

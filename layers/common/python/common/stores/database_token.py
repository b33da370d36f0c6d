"""Signing in to Postgres as who we are in AWS: a signed address for a password, good for a quarter of an hour
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html).

boto3's `generate_db_auth_token` makes the same, of a client of RDS, whose model takes longer to read than all else.
"""

from functools import cache
from typing import Any

import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, NoCredentialsError, NoRegionError

from common.domain.shared_errors import StoreUnavailable

GOOD_SECONDS = 900


@cache
def _session() -> Any:
    return botocore.session.Session()


def database_token(host: str, port: int, user: str) -> str:
    """To be asked for at each connect: it is made here, without a call. Raises StoreUnavailable without credentials."""
    try:
        return _signed(host, port, user)
    except BotoCoreError as error:
        raise StoreUnavailable(f"AWS credentials: {error}") from error


def _signed(host: str, port: int, user: str) -> str:
    session = _session()
    credentials, region = session.get_credentials(), session.get_config_variable("region")
    if credentials is None:
        raise NoCredentialsError
    if region is None:
        raise NoRegionError
    request = AWSRequest("GET", f"https://{host}:{port}/", params={"Action": "connect", "DBUser": user})
    SigV4QueryAuth(credentials.get_frozen_credentials(), "rds-db", region, expires=GOOD_SECONDS).add_auth(request)
    return str(request.url).removeprefix("https://")

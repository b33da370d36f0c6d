"""Passwords for Postgres by IAM: a signed address, valid for a quarter of an hour
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html).

boto3's `generate_db_auth_token` makes the same, but from a client of RDS, whose model takes longer to read than all
else.
"""

import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, NoCredentialsError, NoRegionError

from common.domain.shared_errors import StoreUnavailable

VALID_SECONDS = 900


class DatabaseTokenSigner:
    """Signs with the function's own role."""

    def __init__(self) -> None:
        self._session = botocore.session.Session()

    def token(self, host: str, port: int, user: str) -> str:
        """A new token for each connection; no call is made. Raises StoreUnavailable without credentials."""
        try:
            return self._signed(host, port, user)
        except BotoCoreError as error:
            raise StoreUnavailable(f"AWS credentials: {error}") from error

    def _signed(self, host: str, port: int, user: str) -> str:
        credentials, region = self._session.get_credentials(), self._session.get_config_variable("region")
        if credentials is None:
            raise NoCredentialsError
        if region is None:
            raise NoRegionError
        request = AWSRequest("GET", f"https://{host}:{port}/", params={"Action": "connect", "DBUser": user})
        signer = SigV4QueryAuth(credentials.get_frozen_credentials(), "rds-db", region, expires=VALID_SECONDS)
        signer.add_auth(request)
        return str(request.url).removeprefix("https://")

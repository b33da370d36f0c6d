"""Puts the secrets into Secrets Manager (moto, locally): made at random once, kept in a file so that restarts agree."""

import json
import secrets
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm

from migrations.__main__ import LOGINS
from sandbox.settings import Settings as SandboxSettings

SERVICES = ("auth", "events", "queue", "reservations", "payments")


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _token_keys() -> dict[str, Any]:
    """The two halves of the access tokens' keys, apart so that what verifies cannot sign (`docs/api.md`, Auth).

    The first of `jwt/signing` signs: {kid, pem}. All of `jwt/verification` verify: JWKs (RFC 7517).
    """
    key, kid = ec.generate_private_key(ec.SECP256R1()), secrets.token_hex(4)
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {
        "jwt/signing": {"keys": [{"kid": kid, "pem": _pem(key)}]},
        "jwt/verification": {"keys": [{**public, "kid": kid, "use": "sig", "alg": "ES256"}]},
    }


def make() -> dict[str, Any]:
    """Every secret the template's functions read, by its name without the prefix."""
    sandbox = SandboxSettings()
    return {
        **{f"database/{login}": {"password": secrets.token_urlsafe(24)} for login in LOGINS},
        "service-keys": {service: [str(uuid4())] for service in SERVICES},
        **_token_keys(),
        "ticket": {"keys": [{"kid": secrets.token_hex(4), "pem": _pem(ed25519.Ed25519PrivateKey.generate())}]},
        # What the sandbox expects: it plays the other side of these.
        "portone": {
            "apiSecret": sandbox.portone_api_secret,
            "webhookSecrets": [sandbox.portone_webhook_secret],
            "storeId": sandbox.portone_store_id,
            "channelKey": sandbox.portone_channel_key,
        },
        "captcha": {"secret": sandbox.captcha_secret},
    }


def kept(path: Path) -> dict[str, Any]:
    """The secrets of this machine's stack, made on first use and readable by their owner only."""
    made = make()
    if path.exists():
        made |= json.loads(path.read_text(encoding="utf-8"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(made), encoding="utf-8")
    return made


def publish(values: dict[str, Any], prefix: str) -> None:
    manager = boto3.client("secretsmanager")
    for name, value in values.items():
        text = json.dumps(value)
        try:
            manager.create_secret(Name=prefix + name, SecretString=text)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=prefix + name, SecretString=text)

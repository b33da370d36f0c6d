"""Puts the secrets into Secrets Manager (moto): generated once and kept in a file, so that they survive restarts."""

import json
import secrets
from base64 import b64encode
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import boto3
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm

from functions.auth.adapters.signing_key_pair import new_key, public_half
from local.sandbox.settings import Settings as SandboxSettings
from migrations.__main__ import LOGINS

SERVICES = ("auth", "events", "queue", "reservations", "payments")


def _pem(key: ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _token_keys() -> dict[str, Any]:
    """The current and next signing keys of access tokens, with public keys: `functions/auth/domain/signing_keys.py`."""
    keys = [new_key(), new_key()]
    return {"jwt/signing": {"keys": keys}, "jwt/verification": {"keys": [public_half(key) for key in keys]}}


def _ticket_key(key: dict[str, str]) -> dict[str, Any]:
    """The public key with which tickets are verified at the door."""
    private = cast(ed25519.Ed25519PrivateKey, load_pem_private_key(key["pem"].encode(), password=None))
    public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return {**public, "kid": key["kid"], "use": "sig", "alg": "EdDSA"}


def generated() -> dict[str, Any]:
    """The secrets of our own, at random."""
    return {
        "service-keys": {service: [str(uuid4())] for service in SERVICES},
        **_token_keys(),
        "ticket": {"keys": [{"kid": secrets.token_hex(4), "pem": _pem(ed25519.Ed25519PrivateKey.generate())}]},
        "queue/place": {"keys": [b64encode(secrets.token_bytes(32)).decode()]},  # the first signs, all verify
        # Key of the hashes by which personal data is found. Unlike the others it cannot be replaced.
        "personal-data/lookup": {"key": b64encode(secrets.token_bytes(32)).decode()},
    }


def passwords() -> dict[str, Any]:
    return {f"database/{login}": {"password": secrets.token_urlsafe(24)} for login in LOGINS}


def ticket_verification(ticket: dict[str, Any]) -> dict[str, Any]:
    return {"keys": [_ticket_key(key) for key in ticket["keys"]]}


def make() -> dict[str, Any]:
    """Every secret the template's functions read, by its name without the prefix."""
    sandbox = SandboxSettings()
    return {
        **passwords(),
        **generated(),
        # What the sandbox expects.
        "portone": {
            "apiSecret": sandbox.portone_api_secret,
            "webhookSecrets": [sandbox.portone_webhook_secret],
            "storeId": sandbox.portone_store_id,
            "channelKey": sandbox.portone_channel_key,
        },
        "captcha": {"secret": sandbox.captcha_secret},
        "oauth/kakao": {"clientId": sandbox.kakao_client_id, "clientSecret": sandbox.kakao_client_secret},
        "oauth/naver": {"clientId": sandbox.naver_client_id, "clientSecret": sandbox.naver_client_secret},
        "oauth/google": {"clientId": sandbox.google_client_id, "clientSecret": sandbox.google_client_secret},
    }


def load_or_make(path: Path) -> dict[str, Any]:
    """The secrets of the local stack, generated on first use; only their owner can read the file."""
    made = make()
    if path.exists():
        made |= json.loads(path.read_text(encoding="utf-8"))
    # From the ticket keys in the file, if it has them.
    made["ticket/verification"] = ticket_verification(made["ticket"])
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

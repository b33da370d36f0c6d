"""Forged access tokens, made from what any user has: one valid token and the published keys.

forgeries(token, keys)  the name of each and the token: all must be rejected (RFC 8725; CVE-2022-21449 and others)
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # the order of P-256
ATTACKER = ec.generate_private_key(ec.SECP256R1())
ATTACKER_JWK = ECAlgorithm.to_jwk(ATTACKER.public_key(), as_dict=True)

Keys = list[dict[str, Any]]


def segment(value: bytes | dict[str, Any]) -> str:
    """A part of a token, in base64url."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def opened(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def forgeries(token: str, keys: Keys) -> Iterator[tuple[str, str]]:
    header_part, claims_part, signature_part = token.split(".")
    header, claims = json.loads(opened(header_part)), json.loads(opened(claims_part))
    signature = opened(signature_part)
    admin = {**claims, "role": "ADMIN"}
    key = next(key for key in keys if key["kid"] == header["kid"])

    def signed(changed: dict[str, Any], claims: dict[str, Any] | bytes = admin, by: Any = ATTACKER) -> str:
        """Signed by the attacker, whatever algorithm the header names."""
        whole = {name: value for name, value in {**header, **changed}.items() if value is not ...}
        text = f"{segment(whole)}.{segment(claims)}"
        return f"{text}.{segment(jwt.get_algorithm_by_name('ES256').sign(text.encode(), by))}"

    def hashed(secret: bytes, algorithm: str = "HS256") -> str:
        text = f"{segment({**header, 'alg': algorithm})}.{segment(admin)}"
        return f"{text}.{segment(hmac.digest(secret, text.encode(), hashlib.new(f'sha{algorithm[2:]}').name))}"

    yield from _without_algorithm(header, admin, signature_part)
    yield from _public_key_as_secret(key, hashed)
    yield from _key_chosen_by_the_attacker(header, keys, signed)
    yield from _other_algorithms(header, admin)
    yield from _changed(header_part, claims_part, signature_part, header, claims)
    yield from _broken_signatures(f"{segment(header)}.{segment(admin)}", f"{header_part}.{claims_part}", signature)
    yield from _other_spellings(token, header_part, claims_part, signature_part, signature)
    yield from _strange_json(header, admin, signed, signature_part)
    yield from _not_a_token(header, admin, header_part, claims_part, signature_part)


def _without_algorithm(header: Any, claims: Any, signature: str) -> Iterator[tuple[str, str]]:
    for name in ("none", "None", "NONE", "nOnE", "", None, 0, [], "ES256\x00", " ES256", "es256"):
        whole = f"{segment({**header, 'alg': name})}.{segment(claims)}."
        yield f"alg {name!r}, no signature", whole
        yield f"alg {name!r}, a signature", whole + signature
    yield "no alg", f"{segment({'kid': header['kid']})}.{segment(claims)}.{signature}"


def _public_key_as_secret(key: Any, hashed: Any) -> Iterator[tuple[str, str]]:
    public = jwt.PyJWK(key).key
    secrets = {
        "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PEM without its last line break": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)[:-1],
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "JWK": json.dumps(key).encode(),
        "JWK without spaces": json.dumps(key, separators=(",", ":")).encode(),
        "x": opened(key["x"]),
        "kid": key["kid"].encode(),
        "nothing": b"",
    }
    for name, secret in secrets.items():
        for algorithm in ("HS256", "HS384", "HS512"):
            yield f"{algorithm} with the public key's {name}", hashed(secret, algorithm)


def _key_chosen_by_the_attacker(header: Any, keys: Keys, signed: Any) -> Iterator[tuple[str, str]]:
    yield "the attacker's signature under our kid", signed({})
    for number, key in enumerate(keys):
        yield f"the attacker's signature under key {number} of ours", signed({"kid": key["kid"]})
    for kid in (
        *(
            "",
            "unknown",
            header["kid"].upper() + " ",
            "../../../../dev/null",
            "/proc/self/environ",
            "file:///etc/passwd",
        ),
        *("' OR '1'='1", "x' UNION SELECT 'key", "| id", "$(id)", "{{7*7}}", "\x00", "a" * 3000, "키", "\u202e"),
        *(None, 0, 1.5, True, [], [header["kid"]], {}, {"kid": header["kid"]}),
    ):
        name = str(kid).replace(header["kid"], "ours").replace(header["kid"].upper(), "ours")[:40]
        yield f"kid {name!r}", signed({"kid": kid})  # the same name in every run, although each has its own keys
    yield "no kid", signed({"kid": ...})
    yield "jku", signed({"jku": "https://attacker.example/jwks.json", "kid": "theirs"})
    yield "jku under our kid", signed({"jku": "https://attacker.example/jwks.json"})
    yield "jku with our name in it", signed({"jku": "https://api.example.com@attacker.example/.well-known/jwks.json"})
    yield "x5u", signed({"x5u": "https://attacker.example/cert.pem"})
    yield "x5c", signed({"x5c": [base64.b64encode(b"certificate").decode()]})
    yield "an embedded jwk", signed({"jwk": ATTACKER_JWK})
    yield "an embedded jwk without a kid", signed({"jwk": ATTACKER_JWK, "kid": ...})
    yield "an embedded jwk under its own kid", signed({"jwk": {**ATTACKER_JWK, "kid": "theirs"}, "kid": "theirs"})
    yield "crit of an unknown extension", signed({"crit": ["exp"], "exp": 1})
    yield "crit empty", signed({"crit": []})
    yield "crit of b64", signed({"crit": ["b64"], "b64": False})
    yield "b64 false", signed({"b64": False})
    yield "zip", signed({"zip": "DEF"})
    yield "cty JWT", signed({"cty": "JWT"})


def _other_algorithms(header: Any, claims: Any) -> Iterator[tuple[str, str]]:
    theirs: dict[str, Any] = {
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "ES512": ec.generate_private_key(ec.SECP521R1()),
        "ES256K": ec.generate_private_key(ec.SECP256K1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "RS256": rsa.generate_private_key(65537, 2048),
    }
    for algorithm, key in theirs.items():
        whole = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": header["kid"]})
        yield f"{algorithm} by the attacker", whole
        yield f"{algorithm} by the attacker, said to be ES256", f"{segment(header)}.{whole.split('.', 1)[1]}"


def _changed(header_part: str, claims_part: str, signature: str, header: Any, claims: Any) -> Iterator[tuple[str, str]]:
    for name, value in {
        "role": "ADMIN",
        "sub": "019a9f3e-5c00-7000-8000-000000000001",
        "jti": "019a9f3e-5c00-7000-8000-0000000000aa",
        "exp": claims["exp"] + 1,
        "extra": 1,
    }.items():
        yield f"another {name} under our signature", f"{header_part}.{segment({**claims, name: value})}.{signature}"
    yield (
        "the same claims in other bytes",
        f"{header_part}.{segment(json.dumps(claims, indent=1).encode())}.{signature}",
    )
    yield "another header under our signature", f"{segment({**header, 'extra': 1})}.{claims_part}.{signature}"


def _broken_signatures(forged: str, genuine: str, signature: bytes) -> Iterator[tuple[str, str]]:
    def pair(r: int, s: int) -> bytes:
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    for name, numbers in {
        "r and s zero": (0, 0),
        "r zero": (0, s),
        "s zero": (r, 0),
        "r and s one": (1, 1),
        "r and s the order": (N, N),
        "r the order, s zero": (N, 0),
        "r and s the greatest": (2**256 - 1, 2**256 - 1),
        "r and s exchanged": (s, r),
    }.items():
        yield f"{name}, forged", f"{forged}.{segment(pair(*numbers))}"
        yield f"{name}, genuine", f"{genuine}.{segment(pair(*numbers))}"
    yield "DER instead of two numbers", f"{genuine}.{segment(encode_dss_signature(r, s))}"
    yield "a byte more", f"{genuine}.{segment(signature + bytes(1))}"
    yield "a zero before each number", f"{genuine}.{segment(bytes(1) + signature[:32] + bytes(1) + signature[32:])}"
    yield "half of it", f"{genuine}.{segment(signature[:32])}"
    for place in (0, 31, 32, 63):
        flipped = bytearray(signature)
        flipped[place] ^= 1
        yield f"a bit of byte {place} flipped", f"{genuine}.{segment(bytes(flipped))}"


def _other_spellings(token: str, header: str, claims: str, part: str, signature: bytes) -> Iterator[tuple[str, str]]:
    """The valid token in other characters, which a lenient decoder accepts as the same."""
    for length in sorted({*range(len(header) - 3, len(header) + 4), *range(len(token) - 90, len(token))}):
        yield f"cut to {length} characters", token[:length]
    for length in range(0, len(header) + len(claims), 20):
        yield f"cut to {length} characters", token[:length]
    for cut in (1, 2, 5):
        yield f"{cut} characters missing at the start", token[cut:]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(part[-1])
    for spare in range(1, 16):
        yield f"the last character's spare bits as {spare}", token[:-1] + alphabet[last + spare]
    for pad in ("=", "==", "====", "A", "AA", "AAAA", "!", "%", "%0A", "%00", "\\n", "~", ","):
        yield f"{pad!r} at the end", token + pad
        yield f"{pad!r} in the signature", f"{header}.{claims}.{part[:40]}{pad}{part[40:]}"
    yield "'=' after each part", f"{header}=.{claims}=.{part}=="
    yield "the other base64", f"{header}.{claims}.{base64.b64encode(signature).decode().rstrip('=')}/"
    for space in (" ", "\t", "  "):
        yield f"{space!r} in the signature", f"{header}.{claims}.{part[:40]}{space}{part[40:]}"
        yield f"{space!r} at a dot", f"{header}.{claims}.{space}{part}"
        yield f"{space!r} in the claims", f"{header}.{claims[:10]}{space}{claims[10:]}.{part}"
    yield "twice", f"{token} {token}"
    yield "with a comma", f"{token},{token}"
    yield "in quotes", f'"{token}"'
    yield "after another scheme", f"Bearer {token}"


def _strange_json(header: Any, claims: Any, signed: Any, signature: str) -> Iterator[tuple[str, str]]:
    text = json.dumps(header)[1:-1]
    deep, less_deep = 1500, 900  # as deep as 8 kB of header allow
    for name, raw in {
        "alg twice, none first": '{"alg":"none",' + text + "}",
        "alg twice, none last": "{" + text + ',"alg":"none"}',
        "kid twice": "{" + text + ',"kid":"unknown"}',
        "arrays in arrays": "[" * deep,
        "arrays in arrays, closed": "[" * deep + "]" * deep,
        "objects in objects": '{"a":' * less_deep + "1" + "}" * less_deep,
        "a kid of nested arrays": '{"alg":"ES256","kid":' + "[" * deep + "]" * deep + "}",
        "a number of many digits": '{"alg":"ES256","kid":' + "9" * 5000 + "}",
        "NaN": '{"alg":"ES256","kid":NaN}',
        "a lone surrogate": '{"alg":"ES256","kid":"\\ud800"}',
        "a byte order mark before it": "\ufeff{" + text + "}",
        "null": "null",
        "a list": "[]",
        "a word": '"ES256"',
        "a number": "1",
        "nothing": "",
        "half an object": "{" + text,
        "two objects": "{" + text + "}{}",
    }.items():
        yield f"a header of {name}", f"{segment(raw.encode())}.{segment(claims)}.{signature}"
    yield "a header that is not UTF-8", f"{segment(bytes([0xFF, 0xFE, 0x7B]))}.{segment(claims)}.{signature}"
    for name, body in {
        "deep claims": b'{"a":' * less_deep + b"1" + b"}" * less_deep,
        "claims that are a list": b"[]",
        "claims that are not JSON": b"{",
        "no claims": b"",
        "a role twice": json.dumps(claims)[:-1].encode() + b',"role":"ADMIN"}',
    }.items():
        yield name, signed({}, body)


def _not_a_token(header: Any, claims: Any, first: str, second: str, third: str) -> Iterator[tuple[str, str]]:
    for token in (
        "...",
        "..",
        ".",
        "....",
        "null",
        "undefined",
        "true",
        "[object Object]",
        "-",
        "_",
        "0",
        "A",
        "=" * 10,
    ):
        yield repr(token), token
    yield "no header", f".{second}.{third}"
    yield "no claims", f"{first}..{third}"
    yield "no signature", f"{first}.{second}"
    yield "an empty signature", f"{first}.{second}."
    yield "a fourth part", f"{first}.{second}.{third}.{third}"
    yield "a fourth part that is empty", f"{first}.{second}.{third}."
    yield "an empty part before", f".{first}.{second}.{third}"
    yield (
        "a JWE",
        ".".join([segment({"alg": "dir", "enc": "A256GCM", "kid": header["kid"]}), "", second, second, third]),
    )
    yield "a JWE of five parts", f"{first}.{second}.{third}.{first}.{second}"
    yield "JSON serialisation", json.dumps({"payload": second, "protected": first, "signature": third})
    yield "JSON serialisation, its dots", f"{first}.{second}.{third}".replace(".", "%2E")
    yield "a refresh token", "cmVmcmVzaC10b2tlbi1vZi0zMi1ieXRlcy1leGFtcGxl"
    yield "8 kB of it", f"{first}.{second}.{third}{'A' * 8000}"
    yield "8 kB of claims", f"{first}.{segment({**claims, 'x': 'x' * 6000})}.{third}"


def too_long(token: str) -> Iterator[tuple[str, str]]:
    """What a gateway may reject before it is read: API Gateway accepts 10 kB of headers."""
    _, second, third = token.split(".")
    yield "100 kB of signature", token + "A" * 100_000
    yield "100 kB of header", f"{segment(b'{' + b' ' * 100_000)}.{second}.{third}"
    yield "100 kB of dots", "." * 100_000
    yield "100 kB of nested arrays", f"{segment(b'[' * 75_000)}.{second}.{third}"


def not_ascii(token: str) -> Iterator[tuple[str, str]]:
    """What a header must never contain."""
    yield "Korean", "한글.한글.한글"
    yield "full-width dots", token.replace(".", "．")
    yield "a zero-width space", token[:-10] + "\u200b" + token[-10:]
    yield "right to left", "\u202e" + token
    yield "a Cyrillic e", token.replace("e", "е", 1)
    yield "a no-break space", token + "\u00a0"
    yield "digits of another script", token[:-1] + "٣"


def mirrored(token: str) -> str:
    """The valid token with (r, n - s) for (r, s), which verifies too (SEC 1, 4.1.4)."""
    head, _, part = token.rpartition(".")
    signature = opened(part)
    s = int.from_bytes(signature[32:], "big")
    return f"{head}.{segment(signature[:32] + (N - s).to_bytes(32, 'big'))}"

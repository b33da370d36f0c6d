"""Content codings, as an API with a MinimumCompressionSize has them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
"""

import zlib

_GZIP = 16 + zlib.MAX_WBITS
_WINDOW = {"gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class Unsupported(Exception):
    """A Content-Encoding API Gateway does not read."""


class Damaged(Exception):
    """The body is not what its Content-Encoding says, or is too large once unpacked."""


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether an Accept-Encoding header lets the answer be gzip."""
    for item in (accept_encoding or "").lower().split(","):
        coding, _, parameters = item.partition(";")
        if coding.strip() == "gzip":
            name, _, weight = parameters.partition("=")
            try:
                return name.strip() != "q" or float(weight) > 0
            except ValueError:
                return False
    return False


def compress(body: bytes) -> bytes:
    """The body as gzip."""
    packer = zlib.compressobj(level=5, wbits=_GZIP)
    return packer.compress(body) + packer.flush()


def decompress(body: bytes, coding: str, limit: int) -> bytes:
    """The body unpacked, at most `limit` bytes; raises Unsupported or Damaged."""
    if coding == "identity":
        return body
    if coding not in _WINDOW:
        raise Unsupported(coding)
    unpacker = zlib.decompressobj(wbits=_WINDOW[coding])
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise Damaged(str(error)) from None
    if len(unpacked) > limit or not unpacker.eof:
        raise Damaged("too large or cut short")
    return unpacked

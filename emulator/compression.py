"""Content codings of an API with a MinimumCompressionSize.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
"""

import zlib

_GZIP = 16 + zlib.MAX_WBITS
_WINDOW = {"gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class UnsupportedCoding(Exception):
    """A Content-Encoding that API Gateway does not support."""


class InvalidContent(Exception):
    """The body does not match its Content-Encoding, or is too large when decompressed."""


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether an Accept-Encoding header allows a gzip response."""
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
    compressor = zlib.compressobj(level=5, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()


def decompress(body: bytes, coding: str, limit: int) -> bytes:
    """The decompressed body, at most `limit` bytes; raises UnsupportedCoding or InvalidContent."""
    if coding == "identity":
        return body
    if coding not in _WINDOW:
        raise UnsupportedCoding(coding)
    decompressor = zlib.decompressobj(wbits=_WINDOW[coding])
    try:
        decompressed = decompressor.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidContent(str(error)) from None
    if len(decompressed) > limit or not decompressor.eof:
        raise InvalidContent("too large or truncated")
    return decompressed

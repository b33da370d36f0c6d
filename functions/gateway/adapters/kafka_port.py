"""Whether a Kafka broker can be reached."""

import socket


def connect_to_any(servers: str) -> None:
    """Connect to the first of `host:port,host:port` that accepts, or raise the last one's OSError.

    A connection is enough: the handshake of a client library would cost more than its answer is worth.
    """
    addresses = servers.split(",")
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            if address == addresses[-1]:
                raise
        else:
            return

"""Where a request comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol, Self

USER_AGENT_MAX = 512  # characters kept


class Received(Protocol):
    """A request, as `common.http.request.Request` has it."""

    @property
    def source_ip(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Caller:
    """`ip` is the connection's (`requestContext.identity.sourceIp`): what X-Forwarded-For says anybody can write."""

    ip: str
    user_agent: str

    @classmethod
    def of(cls, request: Received) -> Self:
        # A lone surrogate, which no header should hold, could not be answered as JSON later.
        agent = request.headers.get("user-agent", "").encode(errors="replace").decode()
        return cls(request.source_ip, agent[:USER_AGENT_MAX])

    @property
    def network(self) -> str:
        """`203.0.113.0/24`, or the /56 of IPv6 that a home is given; the address itself when it is none."""
        try:
            address = ip_address(self.ip)
        except ValueError:
            return self.ip
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return _network(mapped or address)


def _network(address: IPv4Address | IPv6Address) -> str:
    return str(ip_network(f"{address}/{24 if address.version == 4 else 56}", strict=False))

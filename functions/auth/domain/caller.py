"""Where a request comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Self

USER_AGENT_MAX = 512  # characters kept


@dataclass(frozen=True)
class Caller:
    """`ip` is the connection's (`requestContext.identity.sourceIp`): anyone can write X-Forwarded-For."""

    ip: str
    user_agent: str

    @classmethod
    def of(cls, source_ip: str, headers: Mapping[str, str]) -> Self:
        """`headers` have names in lower case."""
        # A lone surrogate is not valid in a header and could not be written as JSON later.
        agent = headers.get("user-agent", "").encode(errors="replace").decode()
        return cls(source_ip, agent[:USER_AGENT_MAX])

    @property
    def network(self) -> str:
        """`203.0.113.0/24`, or the /56 that a home gets in IPv6. Text that is not an address is returned as it is."""
        try:
            address = ip_address(self.ip)
        except ValueError:
            return self.ip
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return _network(mapped or address)


def _network(address: IPv4Address | IPv6Address) -> str:
    return str(ip_network(f"{address}/{24 if address.version == 4 else 56}", strict=False))

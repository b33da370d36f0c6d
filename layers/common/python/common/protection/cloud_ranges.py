"""Addresses of cloud providers: `cloud_ranges.json`, written from the lists that they publish (GW-027).

    python -m common.protection.cloud_ranges ip-ranges.json cloud.json ServiceTags_Public_20261116.json

with AWS's (https://ip-ranges.amazonaws.com/ip-ranges.json; EC2 only), Google Cloud's
(https://www.gstatic.com/ipranges/cloud.json), Azure's "IP Ranges and Service Tags, Public Cloud" (the tag AzureCloud)
and Oracle's (https://docs.oracle.com/iaas/tools/public_ip_ranges.json; OCI only), in any number and order. The file:

    {"sources": [{"provider": "aws", "published": "2026-11-16-…"}], "ranges": ["3.0.0.0/15", …]}

`published` is the provider's own date of its list; `ranges` are joined and sorted. Without the file this layer of the
bot check is off: none is shipped, since such lists change weekly.
"""

import json
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from pathlib import Path
from typing import Any, Self

FILE = Path(__file__).with_name("cloud_ranges.json")


class CloudRanges:
    """`"3.5.1.9" in ranges`, by bisection. Text that is not an address is in none."""

    def __init__(self, ranges: Sequence[str]) -> None:
        self._spans: dict[int, list[tuple[int, int]]] = {
            version: sorted(
                (int(each.network_address), int(each.broadcast_address))
                for each in map(ip_network, ranges)
                if each.version == version
            )
            for version in (4, 6)
        }

    @classmethod
    def from_file(cls) -> Self:
        return cls(json.loads(FILE.read_text(encoding="utf-8"))["ranges"] if FILE.exists() else ())

    def __contains__(self, address: str) -> bool:
        try:
            queried = ip_address(address)
        except ValueError:
            return False
        queried = getattr(queried, "ipv4_mapped", None) or queried
        spans = self._spans[queried.version]
        at = bisect_right(spans, int(queried), key=lambda span: span[0]) - 1
        return at >= 0 and int(queried) <= spans[at][1]


def joined(published: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The file's contents from the published lists. Raises ValueError for a list of no known provider."""
    sources, networks = [], []
    for each in published:
        provider, age, found = _read(each)
        sources.append({"provider": provider, "published": age})
        networks += [ip_network(network) for network in found]
    v4 = collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    v6 = collapse_addresses(network for network in networks if isinstance(network, IPv6Network))
    return {"sources": sources, "ranges": [str(network) for network in (*v4, *v6)]}


def _read(published: dict[str, Any]) -> tuple[str, str, Iterator[str]]:
    match published:
        case {"createDate": age, "prefixes": v4, "ipv6_prefixes": v6}:
            found = (each.get("ip_prefix") or each["ipv6_prefix"] for each in [*v4, *v6] if each["service"] == "EC2")
            return "aws", age, found
        case {"creationTime": age, "prefixes": prefixes}:
            return "google", age, (each.get("ipv4Prefix") or each["ipv6Prefix"] for each in prefixes)
        case {"changeNumber": age, "values": tags}:
            cloud = (tag for tag in tags if tag["name"] == "AzureCloud")
            return "azure", str(age), (each for tag in cloud for each in tag["properties"]["addressPrefixes"])
        case {"last_updated_timestamp": age, "regions": regions}:
            cidrs = (cidr for region in regions for cidr in region["cidrs"] if "OCI" in cidr["tags"])
            return "oracle", age, (cidr["cidr"] for cidr in cidrs)
        case _:
            raise ValueError("not a list that AWS, Google Cloud, Azure or Oracle publishes")


if __name__ == "__main__":
    if not sys.argv[1:]:
        raise SystemExit('name the providers\' published lists, FILES="ip-ranges.json cloud.json" (docs/bots.md)')
    try:
        made = joined([json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]])
    except (OSError, ValueError) as error:
        raise SystemExit(f"the list is unchanged: {error}") from None
    FILE.write_text(json.dumps(made, indent=0) + "\n", encoding="utf-8")
    print(f"{len(made['ranges'])} ranges of {', '.join(source['provider'] for source in made['sources'])}")

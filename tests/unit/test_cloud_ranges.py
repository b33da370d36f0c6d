"""Which addresses belong to cloud providers, read from the lists that they publish."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.protection import cloud_ranges
from common.protection.cloud_ranges import FILE, CloudRanges, joined

# In the providers' formats; the networks are those of RFC 5737 and RFC 3849, for documentation.
AWS = {
    "syncToken": "1",
    "createDate": "2026-11-16-20-23-10",
    "prefixes": [
        {"ip_prefix": "192.0.2.0/25", "region": "ap-northeast-2", "service": "EC2"},
        {"ip_prefix": "203.0.113.0/24", "region": "GLOBAL", "service": "CLOUDFRONT"},
    ],
    "ipv6_prefixes": [{"ipv6_prefix": "2001:db8:1::/48", "region": "ap-northeast-2", "service": "EC2"}],
}
GOOGLE = {
    "syncToken": "1",
    "creationTime": "2026-11-15T17:03:11",
    "prefixes": [{"ipv4Prefix": "192.0.2.128/25"}, {"ipv6Prefix": "2001:db8:2::/48"}],
}
AZURE = {
    "changeNumber": 391,
    "cloud": "Public",
    "values": [
        {"name": "ActionGroup", "properties": {"addressPrefixes": ["203.0.113.0/28"]}},
        {"name": "AzureCloud", "properties": {"addressPrefixes": ["198.51.100.0/26"]}},
    ],
}
ORACLE = {
    "last_updated_timestamp": "2026-11-01T00:00:00",
    "regions": [
        {
            "region": "ap-seoul-1",
            "cidrs": [{"cidr": "198.51.100.64/26", "tags": ["OCI"]}, {"cidr": "203.0.113.64/26", "tags": ["OSN"]}],
        }
    ],
}


def test_the_lists_are_joined_and_have_their_publication_dates() -> None:
    assert joined([AWS, GOOGLE, AZURE, ORACLE]) == {
        "sources": [
            {"provider": "aws", "published": "2026-11-16-20-23-10"},
            {"provider": "google", "published": "2026-11-15T17:03:11"},
            {"provider": "azure", "published": "391"},
            {"provider": "oracle", "published": "2026-11-01T00:00:00"},
        ],
        "ranges": ["192.0.2.0/24", "198.51.100.0/25", "2001:db8:1::/48", "2001:db8:2::/48"],
    }


def test_an_unknown_list_format_is_an_error_and_not_an_empty_list() -> None:
    with pytest.raises(ValueError, match="not a list"):
        joined([{"prefixes": []}])


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.0", True),
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("192.0.1.255", False),
        ("::ffff:192.0.2.9", True),
        ("2001:db8:1::9", True),
        ("2001:db8:3::", False),
        ("0.0.0.0", False),  # noqa: S104
        ("", False),
        ("not an address", False),
    ],
)
def test_an_address_is_in_a_range_or_not(address: str, inside: bool) -> None:
    assert (address in CloudRanges(joined([AWS, GOOGLE])["ranges"])) is inside


def test_without_the_file_no_address_belongs_to_a_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_ranges, "FILE", tmp_path / "cloud_ranges.json")
    assert "192.0.2.1" not in CloudRanges.from_file()
    cloud_ranges.FILE.write_text(json.dumps(joined([AWS])), encoding="utf-8")
    assert "192.0.2.1" in CloudRanges.from_file()


@pytest.mark.parametrize("words", [[], ["nowhere.json"], [__file__]])
@pytest.mark.starts_processes
def test_without_a_list_to_read_no_file_is_written(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "common.protection.cloud_ranges", *words],
        env={**os.environ, "PYTHONPATH": str(FILE.parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert not FILE.exists()

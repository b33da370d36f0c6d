"""A person whose identity PortOne verified (AUTH-004)."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class VerifiedPerson:
    """Some carriers give no `ci`."""

    name: str
    phone: str | None
    ci: str | None = field(repr=False)

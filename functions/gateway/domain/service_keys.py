"""The keys with which services call each other, and how they follow one another (INT-009).

A service's keys are a list: the one it calls with, the next one, the previous one.
"""

from collections.abc import Callable, Mapping, Sequence

Keys = Mapping[str, Sequence[str]]


def rotated(keys: Keys, new_key: Callable[[], str]) -> dict[str, list[str]]:
    """Each service's next key becomes its first. A service with one key keeps it first: the others know no second."""
    return {
        service: [now, new_key()] if not after else [after[0], new_key(), now]
        for service, (now, *after) in keys.items()
    }


def follows(after: Keys, before: Keys) -> bool:
    """Whether calls succeed while some services know only the one and some only the other."""
    return after.keys() == before.keys() and all(
        after[service][0] in before[service] and before[service][0] in after[service] for service in after
    )

"""Two operations of one buyer at once: one is interrupted by the other at every exchange."""

import pytest

from tools.simulation.model.actions import PAIRS, Pair, Purchase, both, come_to
from tools.simulation.model.world import USERS, Stores, World, quiet


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_buyer_may_do_two_things_at_once(stores: Stores, pair: Pair) -> None:
    """`tests/model/test_model.py` lets them take turns at any exchanges, under faults."""
    at, exchanges = 0, 0
    while at <= exchanges:
        exchanges = _run(stores, pair, [at])
        at += 1
    assert exchanges > 3


def _run(stores: Stores, pair: Pair, lengths: list[int]) -> int:
    """The number of exchanges of the first."""
    world = World(stores)
    world.open()
    try:
        event = world.event_ids[pair.free]  # of the second event, the first two seats are free
        purchase = come_to(world, pair.stage, Purchase(USERS[0], event, world.seat_ids[event][:2]))
        assert purchase is not None
        with quiet():
            exchanges = both(world, pair, purchase, lengths)
            assert not world.seats_reserved_twice()
            world.deliver_pending()
            left = world.left_in_redis()
            assert not left, f"turns of {lengths} exchanges: " + "\n".join(map(str, left))
            for reservation in world.live_holds():
                world.go_on(reservation)
            world.finish_pending_work(quick=True)
            found = world.violations()
        assert not found, f"turns of {lengths} exchanges: " + "\n".join(map(str, found))
        return exchanges
    finally:
        world.close()

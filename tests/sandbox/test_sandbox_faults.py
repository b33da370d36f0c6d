"""Faults on demand, and where they stop."""

import asyncio
import time

import pytest

from local.sandbox.faults import FaultPlan, Faults, Mode


def test_a_plan_strikes_its_share_of_requests() -> None:
    chances = iter((0.0, 0.49, 0.5, 0.99))
    faults = Faults(lambda: next(chances), FaultPlan(mode=Mode.ERROR, rate=0.5))
    assert [faults.draw().mode for _ in range(4)] == [Mode.ERROR, Mode.ERROR, Mode.NONE, Mode.NONE]


def test_the_plan_can_be_read_back_and_starts_with_none(play):
    async def story(town):
        assert await town.call("GET", "/sandbox/faults") == (200, {"mode": "none", "rate": 1.0, "latencyMs": 0})
        plan = {"mode": "slow", "rate": 0.25, "latencyMs": 1500}
        assert await town.call("PUT", "/sandbox/faults", plan) == (200, plan)
        assert await town.call("GET", "/sandbox/faults") == (200, plan)
        assert await town.call("PUT", "/sandbox/faults", {"mode": "none", "rate": 1}) == (
            200,
            {"mode": "none", "rate": 1.0, "latencyMs": 0},
        )

    play(story)


def test_a_plan_that_makes_no_sense_is_refused_and_changes_nothing(play):
    async def story(town):
        await town.fault("error", rate=0.5)
        for plan in (
            {},
            {"mode": "chaos"},
            {"mode": "error", "rate": 1.01},
            {"mode": "error", "rate": -0.1},
            {"mode": "error", "rate": "1"},
            {"mode": "slow"},
            {"mode": "slow", "latencyMs": -1},
            {"mode": "error", "latency": 5},
            [],
        ):
            status, answer = await town.call("PUT", "/sandbox/faults", plan)
            assert (status, answer["type"]) == (400, "INVALID_REQUEST"), plan
        assert (await town.call("GET", "/sandbox/faults"))[1]["rate"] == 0.5

    play(story)


def test_errors_carry_nothing_out_and_spare_the_sandboxs_own_endpoints(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        await town.paid("q", 1_000)
        await town.fault("error")
        key = '"0123456789abcdef"'
        confirm = ("POST", "/payments/p/confirm", {"paymentToken": token}, key)
        assert (await town.portone(*confirm))[0] == 500
        status, answer = await town.portone("POST", "/payments/q/cancel", {"reason": "r"})
        assert (status, answer["type"]) == (502, "PG_PROVIDER")
        assert (await town.portone("GET", "/identity-verifications/i"))[0] == 500
        async with town.session.post(f"{town.url}/recaptcha/api/siteverify", data={}) as response:
            assert (response.status, response.content_type) == (502, "text/html")
        assert await town.held("p") == ("READY", 0, 0)
        assert await town.held("q") == ("PAID", 1_000, 0)
        assert await town.call("GET", "/health") == (200, {"status": "ok"})

        await town.fault("none")
        assert (await town.portone(*confirm))[0] == 200  # the key was not used up by the outage

    play(story)


def test_a_slow_answer_comes_after_the_money_has_moved(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        await town.fault("slow", latencyMs=600_000)
        confirm = asyncio.create_task(town.portone("POST", "/payments/p/confirm", {"paymentToken": token}))

        async def money_moved():
            return await town.held("p") == ("PAID", 1_000, 0)

        await town.until(money_moved)
        assert not confirm.done()
        confirm.cancel()

    play(story)


def test_a_slow_answer_is_the_right_answer_and_not_before_its_time(play):
    async def story(town):
        await town.paid("p", 1_000)
        await town.fault("slow", latencyMs=120)
        loop = asyncio.get_running_loop()
        began = loop.time()
        status, payment = await town.portone("GET", "/payments/p")
        assert (status, payment["status"]) == (200, "PAID")
        assert loop.time() - began >= 0.119

    play(story)


def test_a_captcha_can_time_out_too(play):
    async def story(town):
        await town.fault("timeout")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await town.call("POST", "/recaptcha/api/siteverify")

    play(story)


def test_the_sandbox_stops_promptly_with_requests_still_held(play):
    held = []

    async def story(town):
        token = await town.authorized("p", 1_000)
        await town.fault("timeout")
        held.append(asyncio.create_task(town.portone("POST", "/payments/p/confirm", {"paymentToken": token})))

        async def money_moved():
            return await town.held("p") == ("PAID", 1_000, 0)

        await town.until(money_moved)

    began = time.monotonic()
    play(story)
    assert time.monotonic() - began < 20  # aiohttp would wait 60 seconds for the answer

"""Faults on demand, and what they do not affect."""

import asyncio
import time

import pytest

from local.sandbox.faults import FaultPlan, Faults, Mode


def test_a_plan_affects_its_share_of_requests() -> None:
    chances = iter((0.0, 0.49, 0.5, 0.99))
    faults = Faults(lambda: next(chances), FaultPlan(mode=Mode.ERROR, rate=0.5))
    assert [faults.draw().mode for _ in range(4)] == [Mode.ERROR, Mode.ERROR, Mode.NONE, Mode.NONE]


def test_the_plan_can_be_read_back_and_starts_with_none(run_scenario):
    async def scenario(sandbox):
        assert await sandbox.call("GET", "/sandbox/faults") == (200, {"mode": "none", "rate": 1.0, "latencyMs": 0})
        plan = {"mode": "slow", "rate": 0.25, "latencyMs": 1500}
        assert await sandbox.call("PUT", "/sandbox/faults", plan) == (200, plan)
        assert await sandbox.call("GET", "/sandbox/faults") == (200, plan)
        assert await sandbox.call("PUT", "/sandbox/faults", {"mode": "none", "rate": 1}) == (
            200,
            {"mode": "none", "rate": 1.0, "latencyMs": 0},
        )

    run_scenario(scenario)


def test_an_invalid_plan_is_rejected_and_changes_nothing(run_scenario):
    async def scenario(sandbox):
        await sandbox.fault("error", rate=0.5)
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
            status, answer = await sandbox.call("PUT", "/sandbox/faults", plan)
            assert (status, answer["type"]) == (400, "INVALID_REQUEST"), plan
        assert (await sandbox.call("GET", "/sandbox/faults"))[1]["rate"] == 0.5

    run_scenario(scenario)


def test_error_faults_change_no_state_and_do_not_affect_the_sandboxs_own_endpoints(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        await sandbox.paid("q", 1_000)
        await sandbox.fault("error")
        key = '"0123456789abcdef"'
        confirm = ("POST", "/payments/p/confirm", {"paymentToken": token}, key)
        assert (await sandbox.portone(*confirm))[0] == 500
        status, answer = await sandbox.portone("POST", "/payments/q/cancel", {"reason": "r"})
        assert (status, answer["type"]) == (502, "PG_PROVIDER")
        assert (await sandbox.portone("GET", "/identity-verifications/i"))[0] == 500
        async with sandbox.session.post(f"{sandbox.url}/recaptcha/api/siteverify", data={}) as response:
            assert (response.status, response.content_type) == (502, "text/html")
        assert await sandbox.held("p") == ("READY", 0, 0)
        assert await sandbox.held("q") == ("PAID", 1_000, 0)
        assert await sandbox.call("GET", "/health") == (200, {"status": "ok"})

        await sandbox.fault("none")
        assert (await sandbox.portone(*confirm))[0] == 200  # the key was not used up by the outage

    run_scenario(scenario)


def test_a_slow_answer_comes_after_the_payment_is_made(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        await sandbox.fault("slow", latencyMs=600_000)
        confirm = asyncio.create_task(sandbox.portone("POST", "/payments/p/confirm", {"paymentToken": token}))

        async def money_moved():
            return await sandbox.held("p") == ("PAID", 1_000, 0)

        await sandbox.until(money_moved)
        assert not confirm.done()
        confirm.cancel()

    run_scenario(scenario)


def test_a_slow_answer_is_correct_and_comes_after_its_latency(run_scenario):
    async def scenario(sandbox):
        await sandbox.paid("p", 1_000)
        await sandbox.fault("slow", latencyMs=120)
        loop = asyncio.get_running_loop()
        began = loop.time()
        status, payment = await sandbox.portone("GET", "/payments/p")
        assert (status, payment["status"]) == (200, "PAID")
        assert loop.time() - began >= 0.119

    run_scenario(scenario)


def test_a_captcha_can_time_out_too(run_scenario):
    async def scenario(sandbox):
        await sandbox.fault("timeout")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await sandbox.call("POST", "/recaptcha/api/siteverify")

    run_scenario(scenario)


def test_the_sandbox_stops_promptly_while_requests_are_open(run_scenario):
    held = []

    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        await sandbox.fault("timeout")
        held.append(asyncio.create_task(sandbox.portone("POST", "/payments/p/confirm", {"paymentToken": token})))

        async def money_moved():
            return await sandbox.held("p") == ("PAID", 1_000, 0)

        await sandbox.until(money_moved)

    began = time.monotonic()
    run_scenario(scenario)
    assert time.monotonic() - began < 20  # aiohttp would wait 60 seconds for the answer

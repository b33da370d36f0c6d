"""PortOne's REST API as a merchant sees it."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest

KEY = '"0123456789abcdef"'


def test_a_manual_approval_runs_from_pre_registration_to_paid(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 150_000)
        assert await sandbox.held("p") == ("READY", 0, 0)
        status, answer = await sandbox.portone(
            "POST", "/payments/p/confirm", {"paymentToken": token, "totalAmount": 150_000}
        )
        assert status == 200
        assert set(answer) == {"pgTxId", "paidAt"}
        status, payment = await sandbox.portone("GET", "/payments/p")
        assert (status, payment["status"], payment["pgTxId"]) == (200, "PAID", answer["pgTxId"])
        assert payment["amount"] == {
            "total": 150_000,
            "taxFree": 0,
            "discount": 0,
            "paid": 150_000,
            "cancelled": 0,
            "cancelledTaxFree": 0,
        }
        assert await sandbox.held("p") == ("PAID", 150_000, 0)

    run_scenario(scenario)


def test_a_request_without_the_secret_is_unauthorized(run_scenario):
    async def scenario(sandbox):
        for headers in ({}, {"Authorization": "PortOne wrong"}, {"Authorization": "Bearer x"}):
            for path in ("/payments/p", "/identity-verifications/i"):
                status, answer = await sandbox.call("GET", path, headers=headers)
                assert (status, answer["type"]) == (401, "UNAUTHORIZED")
                assert isinstance(answer["message"], str)

    run_scenario(scenario)


def test_a_payment_is_not_found_before_the_buyer_has_opened_the_window(run_scenario):
    async def scenario(sandbox):
        assert (await sandbox.call("GET", "/sandbox/payments/p"))[0] == 404
        await sandbox.pre_register("p", 1_000)
        status, answer = await sandbox.portone("GET", "/payments/p")
        assert (status, answer["type"]) == (404, "PAYMENT_NOT_FOUND")
        assert await sandbox.held("p") == ("READY", 0, 0)

    run_scenario(scenario)


def test_errors_have_portones_status_and_type(run_scenario):
    async def scenario(sandbox):
        await sandbox.authorized("ready", 1_000)
        await sandbox.paid("paid", 1_000)
        await sandbox.paid("cancelled", 1_000)
        assert (await sandbox.portone("POST", "/payments/cancelled/cancel", {"reason": "r"}))[0] == 200
        await sandbox.call("POST", "/sandbox/payments/failed/pay", {"outcome": "AUTHORIZED", "amount": 5})
        register = {"totalAmount": 1_000, "currency": "KRW"}
        expected = [
            ("paid/pre-register", register, 409, "ALREADY_PAID"),
            ("new/pre-register", {**register, "storeId": "store-other"}, 403, "FORBIDDEN"),
            ("new/pre-register", {**register, "currency": "USD"}, 400, "INVALID_REQUEST"),
            ("new/pre-register", {**register, "totalAmount": 1.5}, 400, "INVALID_REQUEST"),
            ("new/pre-register", {**register, "totalAmount": True}, 400, "INVALID_REQUEST"),
            ("new/confirm", {"paymentToken": "t"}, 404, "PAYMENT_NOT_FOUND"),
            ("ready/confirm", {"paymentToken": "t"}, 400, "INVALID_PAYMENT_TOKEN"),
            ("ready/confirm", {}, 400, "INVALID_REQUEST"),
            ("paid/confirm", {"paymentToken": "t"}, 409, "ALREADY_PAID"),
            ("new/cancel", {"reason": "r"}, 404, "PAYMENT_NOT_FOUND"),
            ("ready/cancel", {"reason": "r"}, 409, "PAYMENT_NOT_PAID"),
            ("cancelled/cancel", {"reason": "r"}, 409, "PAYMENT_ALREADY_CANCELLED"),
            ("paid/cancel", {"reason": "r", "amount": 1_001}, 409, "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"),
            (
                "paid/cancel",
                {"reason": "r", "currentCancellableAmount": 1},
                409,
                "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN",
            ),
            ("paid/cancel", {"amount": 1}, 400, "INVALID_REQUEST"),
            ("paid/cancel", {"reason": "r", "amount": 0}, 400, "INVALID_REQUEST"),
        ]
        for path, body, status, kind in expected:
            answer = await sandbox.portone("POST", f"/payments/{path}", body)
            assert (answer[0], answer[1]["type"]) == (status, kind), path
        assert await sandbox.held("paid") == ("PAID", 1_000, 0)

    run_scenario(scenario)


def test_a_confirm_that_names_another_amount_or_currency_is_a_mismatch(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        for more in ({"totalAmount": 999}, {"currency": "USD"}, {"txId": "other"}):
            status, answer = await sandbox.portone("POST", "/payments/p/confirm", {"paymentToken": token, **more})
            assert (status, answer["type"]) == (409, "INFORMATION_MISMATCH")
        assert await sandbox.held("p") == ("READY", 0, 0)

    run_scenario(scenario)


def test_a_card_rejected_at_confirm_answers_pg_provider_and_shows_the_failure(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        await sandbox.call("POST", "/sandbox/payments/p/pay", {"outcome": "FAILED"})
        status, answer = await sandbox.portone("POST", "/payments/p/confirm", {"paymentToken": token})
        assert (status, answer["type"]) == (502, "PG_PROVIDER")
        assert {"pgCode", "pgMessage"} <= set(answer)
        _, payment = await sandbox.portone("GET", "/payments/p")
        assert payment["status"] == "FAILED"
        assert {"reason", "pgCode", "pgMessage"} == set(payment["failure"])

    run_scenario(scenario)


def test_a_partial_refund_keeps_the_rest_paid(run_scenario):
    async def scenario(sandbox):
        await sandbox.paid("p", 150_000)
        body = {"reason": "fee", "amount": 135_000, "currentCancellableAmount": 150_000}
        status, answer = await sandbox.portone("POST", "/payments/p/cancel", body)
        assert (status, answer["cancellation"]["status"]) == (200, "SUCCEEDED")
        assert answer["cancellation"]["totalAmount"] == 135_000
        assert await sandbox.held("p") == ("PARTIAL_CANCELLED", 150_000, 135_000)
        _, payment = await sandbox.portone("GET", "/payments/p")
        assert payment["cancellations"] == [answer["cancellation"]]

    run_scenario(scenario)


def test_twenty_confirms_at_once_pay_once(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        confirms = (sandbox.portone("POST", "/payments/p/confirm", {"paymentToken": token}) for _ in range(20))
        answers = await asyncio.gather(*confirms)
        assert sorted(status for status, _ in answers) == [200] + [409] * 19
        assert await sandbox.held("p") == ("PAID", 1_000, 0)

    run_scenario(scenario)


def test_a_repeated_key_gets_the_first_answer_and_changes_nothing(run_scenario):
    async def scenario(sandbox):
        await sandbox.paid("p", 1_000)
        body = {"reason": "r", "amount": 100}
        first = await sandbox.portone("POST", "/payments/p/cancel", body, KEY)
        assert first[0] == 200
        assert await sandbox.portone("POST", "/payments/p/cancel", body, KEY) == first
        assert await sandbox.held("p") == ("PARTIAL_CANCELLED", 1_000, 100)

    run_scenario(scenario)


def test_a_key_keeps_an_error_too(run_scenario):
    async def scenario(sandbox):
        await sandbox.authorized("p", 1_000)
        first = await sandbox.portone("POST", "/payments/p/cancel", {"reason": "r"}, KEY)
        assert first[0] == 409
        await sandbox.call("POST", "/sandbox/payments/p/pay", {"outcome": "PAID"})
        assert await sandbox.portone("POST", "/payments/p/cancel", {"reason": "r"}, KEY) == first

    run_scenario(scenario)


def test_a_key_with_another_request_is_rejected(run_scenario):
    async def scenario(sandbox):
        await sandbox.paid("p", 1_000)
        await sandbox.portone("POST", "/payments/p/cancel", {"reason": "r", "amount": 100}, KEY)
        for path, body in (("cancel", {"reason": "r", "amount": 200}), ("confirm", {"paymentToken": "t"})):
            status, answer = await sandbox.portone("POST", f"/payments/p/{path}", body, KEY)
            assert (status, answer["type"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert await sandbox.held("p") == ("PARTIAL_CANCELLED", 1_000, 100)

    run_scenario(scenario)


def test_a_key_is_forgotten_after_three_hours(run_scenario):
    async def scenario(sandbox):
        await sandbox.paid("p", 1_000)
        body = {"reason": "r", "amount": 100}
        for minutes, cancelled in ((0, 100), (179, 100), (181, 200)):
            sandbox.ahead = timedelta(minutes=minutes)
            assert (await sandbox.portone("POST", "/payments/p/cancel", body, KEY))[0] == 200
            assert (await sandbox.held("p"))[2] == cancelled

    run_scenario(scenario)


def test_a_key_must_be_in_quotes_and_long_enough(run_scenario):
    async def scenario(sandbox):
        await sandbox.paid("p", 1_000)
        for key in ("0123456789abcdef", '"short"', '"' + "x" * 257 + '"', ""):
            status, answer = await sandbox.portone("POST", "/payments/p/cancel", {"reason": "r"}, key)
            assert (status, answer["type"]) == (400, "INVALID_REQUEST")
        assert await sandbox.held("p") == ("PAID", 1_000, 0)

    run_scenario(scenario)


def test_a_key_is_outstanding_until_its_request_is_answered(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        confirm = ("POST", "/payments/p/confirm", {"paymentToken": token}, KEY)
        await sandbox.fault("timeout")
        first = asyncio.create_task(sandbox.portone(*confirm))

        async def money_moved():
            return await sandbox.held("p") == ("PAID", 1_000, 0)

        await sandbox.until(money_moved)
        await sandbox.fault("none")
        status, answer = await sandbox.portone(*confirm)
        assert (status, answer["type"]) == (409, "IDEMPOTENCY_OUTSTANDING_REQUEST")

        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await _until_answered(sandbox, confirm)
        assert await sandbox.held("p") == ("PAID", 1_000, 0)

    run_scenario(scenario)


async def _until_answered(sandbox, call):
    async def answered():
        return (await sandbox.portone(*call))[0] == 200

    await sandbox.until(answered)


def test_a_body_that_is_not_json_is_rejected_in_portones_format(run_scenario):
    async def scenario(sandbox):
        headers = {"Authorization": f"PortOne {sandbox.settings.portone_api_secret}"}
        for data in (b"", b"{", b"[]", b"\xff\xfe", b'"x"'):
            async with sandbox.session.post(f"{sandbox.url}/payments/p/cancel", data=data, headers=headers) as response:
                assert (response.status, (await response.json())["type"]) == (400, "INVALID_REQUEST")

    run_scenario(scenario)


def test_a_payment_is_made_even_if_the_caller_closes_the_connection(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        await sandbox.fault("timeout")
        impatient = aiohttp.ClientTimeout(total=0.2)
        headers = {"Authorization": f"PortOne {sandbox.settings.portone_api_secret}"}
        with pytest.raises(TimeoutError):
            await sandbox.call(
                "POST", "/payments/p/confirm", {"paymentToken": token}, headers=headers, timeout=impatient
            )
        assert await sandbox.held("p") == ("PAID", 1_000, 0)

    run_scenario(scenario)

"""PortOne's REST API as a merchant sees it."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest

KEY = '"0123456789abcdef"'


def test_a_manual_approval_runs_from_pre_registration_to_paid(play):
    async def story(town):
        token = await town.authorized("p", 150_000)
        assert await town.held("p") == ("READY", 0, 0)
        status, answer = await town.portone(
            "POST", "/payments/p/confirm", {"paymentToken": token, "totalAmount": 150_000}
        )
        assert status == 200
        assert set(answer) == {"pgTxId", "paidAt"}
        status, payment = await town.portone("GET", "/payments/p")
        assert (status, payment["status"], payment["pgTxId"]) == (200, "PAID", answer["pgTxId"])
        assert payment["amount"] == {
            "total": 150_000,
            "taxFree": 0,
            "discount": 0,
            "paid": 150_000,
            "cancelled": 0,
            "cancelledTaxFree": 0,
        }
        assert await town.held("p") == ("PAID", 150_000, 0)

    play(story)


def test_a_request_without_the_secret_is_unauthorized(play):
    async def story(town):
        for headers in ({}, {"Authorization": "PortOne wrong"}, {"Authorization": "Bearer x"}):
            for path in ("/payments/p", "/identity-verifications/i"):
                status, answer = await town.call("GET", path, headers=headers)
                assert (status, answer["type"]) == (401, "UNAUTHORIZED")
                assert isinstance(answer["message"], str)

    play(story)


def test_a_payment_is_found_only_once_the_buyer_has_opened_the_window(play):
    async def story(town):
        assert (await town.call("GET", "/sandbox/payments/p"))[0] == 404
        await town.pre_register("p", 1_000)
        status, answer = await town.portone("GET", "/payments/p")
        assert (status, answer["type"]) == (404, "PAYMENT_NOT_FOUND")
        assert await town.held("p") == ("READY", 0, 0)

    play(story)


def test_refusals_come_with_the_status_and_type_of_portone(play):
    async def story(town):
        await town.authorized("ready", 1_000)
        await town.paid("paid", 1_000)
        await town.paid("gone", 1_000)
        assert (await town.portone("POST", "/payments/gone/cancel", {"reason": "r"}))[0] == 200
        await town.call("POST", "/sandbox/payments/failed/pay", {"outcome": "AUTHORIZED", "amount": 5})
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
            ("gone/cancel", {"reason": "r"}, 409, "PAYMENT_ALREADY_CANCELLED"),
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
            answer = await town.portone("POST", f"/payments/{path}", body)
            assert (answer[0], answer[1]["type"]) == (status, kind), path
        assert await town.held("paid") == ("PAID", 1_000, 0)

    play(story)


def test_a_confirm_that_names_another_amount_or_currency_is_a_mismatch(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        for more in ({"totalAmount": 999}, {"currency": "USD"}, {"txId": "other"}):
            status, answer = await town.portone("POST", "/payments/p/confirm", {"paymentToken": token, **more})
            assert (status, answer["type"]) == (409, "INFORMATION_MISMATCH")
        assert await town.held("p") == ("READY", 0, 0)

    play(story)


def test_a_card_refused_at_confirm_answers_pg_provider_and_shows_the_failure(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        await town.call("POST", "/sandbox/payments/p/pay", {"outcome": "FAILED"})
        status, answer = await town.portone("POST", "/payments/p/confirm", {"paymentToken": token})
        assert (status, answer["type"]) == (502, "PG_PROVIDER")
        assert {"pgCode", "pgMessage"} <= set(answer)
        _, payment = await town.portone("GET", "/payments/p")
        assert payment["status"] == "FAILED"
        assert {"reason", "pgCode", "pgMessage"} == set(payment["failure"])

    play(story)


def test_a_partial_refund_leaves_the_rest_with_the_merchant(play):
    async def story(town):
        await town.paid("p", 150_000)
        body = {"reason": "fee", "amount": 135_000, "currentCancellableAmount": 150_000}
        status, answer = await town.portone("POST", "/payments/p/cancel", body)
        assert (status, answer["cancellation"]["status"]) == (200, "SUCCEEDED")
        assert answer["cancellation"]["totalAmount"] == 135_000
        assert await town.held("p") == ("PARTIAL_CANCELLED", 150_000, 135_000)
        _, payment = await town.portone("GET", "/payments/p")
        assert payment["cancellations"] == [answer["cancellation"]]

    play(story)


def test_twenty_confirms_at_once_take_the_money_once(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        confirms = (town.portone("POST", "/payments/p/confirm", {"paymentToken": token}) for _ in range(20))
        answers = await asyncio.gather(*confirms)
        assert sorted(status for status, _ in answers) == [200] + [409] * 19
        assert await town.held("p") == ("PAID", 1_000, 0)

    play(story)


def test_a_repeated_key_answers_what_it_answered_before_and_does_nothing_more(play):
    async def story(town):
        await town.paid("p", 1_000)
        body = {"reason": "r", "amount": 100}
        first = await town.portone("POST", "/payments/p/cancel", body, KEY)
        assert first[0] == 200
        assert await town.portone("POST", "/payments/p/cancel", body, KEY) == first
        assert await town.held("p") == ("PARTIAL_CANCELLED", 1_000, 100)

    play(story)


def test_a_key_keeps_a_refusal_too(play):
    async def story(town):
        await town.authorized("p", 1_000)
        first = await town.portone("POST", "/payments/p/cancel", {"reason": "r"}, KEY)
        assert first[0] == 409
        await town.call("POST", "/sandbox/payments/p/pay", {"outcome": "PAID"})
        assert await town.portone("POST", "/payments/p/cancel", {"reason": "r"}, KEY) == first

    play(story)


def test_a_key_with_another_request_is_refused(play):
    async def story(town):
        await town.paid("p", 1_000)
        await town.portone("POST", "/payments/p/cancel", {"reason": "r", "amount": 100}, KEY)
        for path, body in (("cancel", {"reason": "r", "amount": 200}), ("confirm", {"paymentToken": "t"})):
            status, answer = await town.portone("POST", f"/payments/p/{path}", body, KEY)
            assert (status, answer["type"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert await town.held("p") == ("PARTIAL_CANCELLED", 1_000, 100)

    play(story)


def test_a_key_is_forgotten_after_three_hours(play):
    async def story(town):
        await town.paid("p", 1_000)
        body = {"reason": "r", "amount": 100}
        for minutes, cancelled in ((0, 100), (179, 100), (181, 200)):
            town.ahead = timedelta(minutes=minutes)
            assert (await town.portone("POST", "/payments/p/cancel", body, KEY))[0] == 200
            assert (await town.held("p"))[2] == cancelled

    play(story)


def test_a_key_must_stand_in_quotes_and_be_long_enough(play):
    async def story(town):
        await town.paid("p", 1_000)
        for key in ("0123456789abcdef", '"short"', '"' + "x" * 257 + '"', ""):
            status, answer = await town.portone("POST", "/payments/p/cancel", {"reason": "r"}, key)
            assert (status, answer["type"]) == (400, "INVALID_REQUEST")
        assert await town.held("p") == ("PAID", 1_000, 0)

    play(story)


def test_a_key_whose_request_is_being_carried_out_is_outstanding_until_the_answer(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        confirm = ("POST", "/payments/p/confirm", {"paymentToken": token}, KEY)
        await town.fault("timeout")
        first = asyncio.create_task(town.portone(*confirm))

        async def money_moved():
            return await town.held("p") == ("PAID", 1_000, 0)

        await town.until(money_moved)
        await town.fault("none")
        status, answer = await town.portone(*confirm)
        assert (status, answer["type"]) == (409, "IDEMPOTENCY_OUTSTANDING_REQUEST")

        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await _until_answered(town, confirm)
        assert await town.held("p") == ("PAID", 1_000, 0)

    play(story)


async def _until_answered(town, call):
    async def answered():
        return (await town.portone(*call))[0] == 200

    await town.until(answered)


def test_a_body_that_is_no_json_is_refused_in_portones_shape(play):
    async def story(town):
        headers = {"Authorization": f"PortOne {town.settings.portone_api_secret}"}
        for data in (b"", b"{", b"[]", b"\xff\xfe", b'"x"'):
            async with town.session.post(f"{town.url}/payments/p/cancel", data=data, headers=headers) as response:
                assert (response.status, (await response.json())["type"]) == (400, "INVALID_REQUEST")

    play(story)


def test_a_caller_that_hangs_up_has_paid_all_the_same(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        await town.fault("timeout")
        impatient = aiohttp.ClientTimeout(total=0.2)
        headers = {"Authorization": f"PortOne {town.settings.portone_api_secret}"}
        with pytest.raises(TimeoutError):
            await town.call("POST", "/payments/p/confirm", {"paymentToken": token}, headers=headers, timeout=impatient)
        assert await town.held("p") == ("PAID", 1_000, 0)

    play(story)

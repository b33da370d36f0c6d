"""The webhooks that follow each change of a payment."""

import asyncio


def test_each_change_is_followed_by_a_signed_webhook(play):
    async def story(town):
        token = await town.authorized("p", 1_000)
        await town.portone("POST", "/payments/p/confirm", {"paymentToken": token})
        await town.portone("POST", "/payments/p/cancel", {"reason": "r", "amount": 1})
        _, last = await town.portone("POST", "/payments/p/cancel", {"reason": "r"})
        await town.call("POST", "/sandbox/payments/q/pay", {"outcome": "FAILED", "amount": 7})
        webhooks = await town.webhooks(6)
        about_p = {webhook["type"]: webhook["data"] for webhook in webhooks if webhook["data"]["paymentId"] == "p"}
        about_q = {webhook["type"] for webhook in webhooks if webhook["data"]["paymentId"] == "q"}
        assert set(about_p) == {
            "Transaction.Ready",
            "Transaction.Paid",
            "Transaction.PartialCancelled",
            "Transaction.Cancelled",
        }
        assert about_q == {"Transaction.Ready", "Transaction.Failed"}
        _, payment = await town.portone("GET", "/payments/p")
        assert about_p["Transaction.Paid"] == {
            "storeId": town.settings.portone_store_id,
            "paymentId": "p",
            "transactionId": payment["transactionId"],
        }
        assert about_p["Transaction.Cancelled"]["cancellationId"] == last["cancellation"]["id"]

    play(story)


def test_a_refused_webhook_comes_again_under_the_same_id(play):
    async def story(town):
        town.refuse_webhooks = 5
        await town.authorized("p", 1_000)
        await town.webhooks(6)
        assert len({headers["webhook-id"] for headers, _ in town.received}) == 1
        assert len({body for _, body in town.received}) == 1

    play(story)


def test_a_webhook_refused_six_times_is_given_up(play, caplog):
    async def story(town):
        town.refuse_webhooks = 6
        await town.authorized("p", 1_000)

        async def given_up():
            return "given up" in caplog.text

        await town.until(given_up)
        assert len(town.received) == 6

    play(story)


def test_a_merchant_that_does_not_answer_does_not_hold_up_the_buyer(play):
    async def story(town):
        never = asyncio.Event()

        async def silent(_request):
            await never.wait()

        town.take_webhook = silent
        await town.paid("p", 1_000)
        assert await town.held("p") == ("PAID", 1_000, 0)

    play(story)

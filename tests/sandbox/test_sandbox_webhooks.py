"""The webhooks that follow each change of a payment."""

import asyncio


def test_each_change_is_followed_by_a_signed_webhook(run_scenario):
    async def scenario(sandbox):
        token = await sandbox.authorized("p", 1_000)
        await sandbox.portone("POST", "/payments/p/confirm", {"paymentToken": token})
        await sandbox.portone("POST", "/payments/p/cancel", {"reason": "r", "amount": 1})
        _, last = await sandbox.portone("POST", "/payments/p/cancel", {"reason": "r"})
        await sandbox.call("POST", "/sandbox/payments/q/pay", {"outcome": "FAILED", "amount": 7})
        webhooks = await sandbox.webhooks(6)
        about_p = {webhook["type"]: webhook["data"] for webhook in webhooks if webhook["data"]["paymentId"] == "p"}
        about_q = {webhook["type"] for webhook in webhooks if webhook["data"]["paymentId"] == "q"}
        assert set(about_p) == {
            "Transaction.Ready",
            "Transaction.Paid",
            "Transaction.PartialCancelled",
            "Transaction.Cancelled",
        }
        assert about_q == {"Transaction.Ready", "Transaction.Failed"}
        _, payment = await sandbox.portone("GET", "/payments/p")
        assert about_p["Transaction.Paid"] == {
            "storeId": sandbox.settings.portone_store_id,
            "paymentId": "p",
            "transactionId": payment["transactionId"],
        }
        assert about_p["Transaction.Cancelled"]["cancellationId"] == last["cancellation"]["id"]

    run_scenario(scenario)


def test_a_rejected_webhook_is_sent_again_with_the_same_id(run_scenario):
    async def scenario(sandbox):
        sandbox.reject_webhooks = 5
        await sandbox.authorized("p", 1_000)
        await sandbox.webhooks(6)
        assert len({headers["webhook-id"] for headers, _ in sandbox.received}) == 1
        assert len({body for _, body in sandbox.received}) == 1

    run_scenario(scenario)


def test_a_webhook_rejected_six_times_is_given_up(run_scenario, caplog):
    async def scenario(sandbox):
        sandbox.reject_webhooks = 6
        await sandbox.authorized("p", 1_000)

        async def given_up():
            return "given up" in caplog.text

        await sandbox.until(given_up)
        assert len(sandbox.received) == 6

    run_scenario(scenario)


def test_a_merchant_that_does_not_answer_does_not_delay_the_buyer(run_scenario):
    async def scenario(sandbox):
        never = asyncio.Event()

        async def no_answer(_request):
            await never.wait()

        sandbox.take_webhook = no_answer
        await sandbox.paid("p", 1_000)
        assert await sandbox.held("p") == ("PAID", 1_000, 0)

    run_scenario(scenario)

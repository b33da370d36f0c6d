"""What people do: pass a captcha, verify their identity, pay in the payment window."""

from datetime import UTC, datetime, timedelta


def person(**more):
    return {"name": "홍길동", "phoneNumber": "010-1234-5678", "birthDate": "1990-01-31", **more}


async def verified(sandbox, **more):
    status, answer = await sandbox.call("POST", "/sandbox/identity-verifications", person(**more))
    assert status == 200
    status, verification = await sandbox.portone("GET", f"/identity-verifications/{answer['identityVerificationId']}")
    assert (status, verification["status"]) == (200, "VERIFIED")
    return verification["verifiedCustomer"]


async def siteverify(sandbox, **form):
    async with sandbox.session.post(f"{sandbox.url}/recaptcha/api/siteverify", data=form) as response:
        assert response.status == 200
        return await response.json()


def test_the_human_token_passes_every_time(run_scenario):
    async def scenario(sandbox):
        for _ in range(3):
            answer = await siteverify(
                sandbox, secret=sandbox.settings.captcha_secret, response="sandbox-human", remoteip="203.0.113.7"
            )
            assert answer["success"] is True
            assert {"challenge_ts", "hostname"} <= set(answer)

    run_scenario(scenario)


def test_siteverify_says_what_the_token_asks_for(run_scenario):
    async def scenario(sandbox):
        token = "sandbox-human;score=0.3;action=login;hostname=shop.example"
        answer = await siteverify(sandbox, secret=sandbox.settings.captcha_secret, response=token)
        assert {name: answer[name] for name in ("success", "score", "action", "hostname")} == {
            "success": True,
            "score": 0.3,
            "action": "login",
            "hostname": "shop.example",
        }

    run_scenario(scenario)


def test_a_verification_may_be_old_and_on_the_test_channel(run_scenario):
    async def scenario(sandbox):
        body = person(channel="TEST", verifiedSecondsAgo=601)
        _, made = await sandbox.call("POST", "/sandbox/identity-verifications", body)
        _, seen = await sandbox.portone("GET", f"/identity-verifications/{made['identityVerificationId']}")
        assert seen["channel"]["type"] == "TEST"
        assert datetime.now(UTC) - datetime.fromisoformat(seen["verifiedAt"]) > timedelta(minutes=10)

    run_scenario(scenario)


def test_any_other_token_or_secret_fails_with_googles_codes(run_scenario):
    async def scenario(sandbox):
        secret = sandbox.settings.captcha_secret
        for form, codes in (
            ({"secret": secret, "response": "robot"}, ["invalid-input-response"]),
            ({"secret": secret}, ["missing-input-response"]),
            ({"secret": "wrong", "response": "sandbox-human"}, ["invalid-input-secret"]),
            ({"response": "sandbox-human"}, ["missing-input-secret"]),
            ({}, ["missing-input-secret", "missing-input-response"]),
        ):
            assert await siteverify(sandbox, **form) == {"success": False, "error-codes": codes}

    run_scenario(scenario)


def test_a_form_in_an_unknown_charset_is_a_bad_request(run_scenario):
    async def scenario(sandbox):
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=klingon"}
        async with sandbox.session.post(
            f"{sandbox.url}/recaptcha/api/siteverify", data=b"a=b", headers=headers
        ) as response:
            assert await response.json() == {"success": False, "error-codes": ["bad-request"]}

    run_scenario(scenario)


def test_the_same_ci_is_the_same_person_even_if_other_fields_differ(run_scenario):
    async def scenario(sandbox):
        one = await verified(sandbox, ci="ci-1")
        other = await verified(sandbox, ci="ci-1", name="김영희", phoneNumber="01000000000")
        assert one["ci"] == other["ci"] == "ci-1"
        assert one["di"] == other["di"]
        assert one["phoneNumber"] == "01012345678"

    run_scenario(scenario)


def test_without_a_ci_name_birth_date_and_phone_identify_the_person(run_scenario):
    async def scenario(sandbox):
        one, same = await verified(sandbox), await verified(sandbox, phoneNumber="01012345678")
        other = await verified(sandbox, name="홍길순")
        assert one["ci"] == same["ci"] != other["ci"]
        assert len(one["ci"]) == 88

    run_scenario(scenario)


def test_an_unknown_verification_is_not_found(run_scenario):
    async def scenario(sandbox):
        status, answer = await sandbox.portone("GET", "/identity-verifications/none")
        assert (status, answer["type"]) == (404, "IDENTITY_VERIFICATION_NOT_FOUND")

    run_scenario(scenario)


def test_bad_input_is_rejected_with_the_name_of_the_field(run_scenario):
    async def scenario(sandbox):
        await sandbox.pre_register("p", 1_000)
        for path, body, named in (
            ("identity-verifications", person(birthDate="1990-02-30"), "birthDate"),
            ("identity-verifications", person(phoneNumber="call me"), "phoneNumber"),
            ("identity-verifications", person(name=""), "name"),
            ("identity-verifications", {"name": "x"}, "phoneNumber"),
            ("payments/p/pay", {}, "outcome"),
            ("payments/p/pay", {"outcome": "MAYBE"}, "outcome"),
            ("payments/p/pay", {"outcome": "PAID", "amount": 0}, "amount"),
            ("payments/p/pay", {"outcome": "PAID", "amount": "1000"}, "amount"),
            ("payments/p/pay", {"outcome": "PAID", "amuont": 5}, "amuont"),
        ):
            status, answer = await sandbox.call("POST", f"/sandbox/{path}", body)
            assert (status, answer["type"]) == (400, "INVALID_REQUEST"), body
            assert named in answer["message"]
        assert await sandbox.held("p") == ("READY", 0, 0)

    run_scenario(scenario)


def test_a_payment_without_pre_registration_needs_an_amount(run_scenario):
    async def scenario(sandbox):
        status, answer = await sandbox.call("POST", "/sandbox/payments/new/pay", {"outcome": "PAID"})
        assert (status, answer["type"]) == (404, "PAYMENT_NOT_FOUND")
        status, _ = await sandbox.call("POST", "/sandbox/payments/new/pay", {"outcome": "PAID", "amount": 500})
        assert status == 200
        assert await sandbox.held("new") == ("PAID", 500, 0)

    run_scenario(scenario)


def test_a_buyer_who_paid_cannot_pay_again(run_scenario):
    async def scenario(sandbox):
        await sandbox.paid("p", 1_000)
        status, answer = await sandbox.call("POST", "/sandbox/payments/p/pay", {"outcome": "AUTHORIZED"})
        assert (status, answer["type"]) == (409, "ALREADY_PAID")

    run_scenario(scenario)


def test_an_unknown_path_or_method_is_answered_in_json(run_scenario):
    async def scenario(sandbox):
        assert await sandbox.call("GET", "/nowhere") == (404, {"type": "NOT_FOUND", "message": "Not Found"})
        status, answer = await sandbox.call("DELETE", "/sandbox/faults")
        assert (status, answer["type"]) == (405, "METHOD_NOT_ALLOWED")

    run_scenario(scenario)

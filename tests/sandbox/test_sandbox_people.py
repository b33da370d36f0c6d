"""People: the human before the captcha, the person who verifies, the buyer at the window."""


def person(**more):
    return {"name": "홍길동", "phoneNumber": "010-1234-5678", "birthDate": "1990-01-31", **more}


async def verified(town, **more):
    status, answer = await town.call("POST", "/sandbox/identity-verifications", person(**more))
    assert status == 200
    status, verification = await town.portone("GET", f"/identity-verifications/{answer['identityVerificationId']}")
    assert (status, verification["status"]) == (200, "VERIFIED")
    return verification["verifiedCustomer"]


async def siteverify(town, **form):
    async with town.session.post(f"{town.url}/recaptcha/api/siteverify", data=form) as response:
        assert response.status == 200
        return await response.json()


def test_the_human_token_passes_as_often_as_it_is_shown(play):
    async def story(town):
        for _ in range(3):
            answer = await siteverify(
                town, secret=town.settings.captcha_secret, response="sandbox-human", remoteip="203.0.113.7"
            )
            assert answer["success"] is True
            assert {"challenge_ts", "hostname"} <= set(answer)

    play(story)


def test_any_other_token_or_secret_fails_with_googles_codes(play):
    async def story(town):
        secret = town.settings.captcha_secret
        for form, codes in (
            ({"secret": secret, "response": "robot"}, ["invalid-input-response"]),
            ({"secret": secret}, ["missing-input-response"]),
            ({"secret": "wrong", "response": "sandbox-human"}, ["invalid-input-secret"]),
            ({"response": "sandbox-human"}, ["missing-input-secret"]),
            ({}, ["missing-input-secret", "missing-input-response"]),
        ):
            assert await siteverify(town, **form) == {"success": False, "error-codes": codes}

    play(story)


def test_a_form_in_no_known_charset_is_a_bad_request(play):
    async def story(town):
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=klingon"}
        async with town.session.post(f"{town.url}/recaptcha/api/siteverify", data=b"a=b", headers=headers) as response:
            assert await response.json() == {"success": False, "error-codes": ["bad-request"]}

    play(story)


def test_the_same_ci_is_the_same_person_whatever_else_is_said(play):
    async def story(town):
        one = await verified(town, ci="ci-1")
        other = await verified(town, ci="ci-1", name="김영희", phoneNumber="01000000000")
        assert one["ci"] == other["ci"] == "ci-1"
        assert one["di"] == other["di"]
        assert one["phoneNumber"] == "01012345678"

    play(story)


def test_without_a_ci_name_birth_date_and_phone_make_the_person(play):
    async def story(town):
        one, same = await verified(town), await verified(town, phoneNumber="01012345678")
        other = await verified(town, name="홍길순")
        assert one["ci"] == same["ci"] != other["ci"]
        assert len(one["ci"]) == 88

    play(story)


def test_an_unknown_verification_is_not_found(play):
    async def story(town):
        status, answer = await town.portone("GET", "/identity-verifications/none")
        assert (status, answer["type"]) == (404, "IDENTITY_VERIFICATION_NOT_FOUND")

    play(story)


def test_bad_input_is_refused_in_words_that_name_the_field(play):
    async def story(town):
        await town.pre_register("p", 1_000)
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
            status, answer = await town.call("POST", f"/sandbox/{path}", body)
            assert (status, answer["type"]) == (400, "INVALID_REQUEST"), body
            assert named in answer["message"]
        assert await town.held("p") == ("READY", 0, 0)

    play(story)


def test_a_payment_nobody_announced_needs_an_amount(play):
    async def story(town):
        status, answer = await town.call("POST", "/sandbox/payments/new/pay", {"outcome": "PAID"})
        assert (status, answer["type"]) == (404, "PAYMENT_NOT_FOUND")
        status, _ = await town.call("POST", "/sandbox/payments/new/pay", {"outcome": "PAID", "amount": 500})
        assert status == 200
        assert await town.held("new") == ("PAID", 500, 0)

    play(story)


def test_a_buyer_who_paid_cannot_pay_again(play):
    async def story(town):
        await town.paid("p", 1_000)
        status, answer = await town.call("POST", "/sandbox/payments/p/pay", {"outcome": "AUTHORIZED"})
        assert (status, answer["type"]) == (409, "ALREADY_PAID")

    play(story)


def test_a_path_or_method_that_is_not_there_answers_in_json(play):
    async def story(town):
        assert await town.call("GET", "/nowhere") == (404, {"type": "NOT_FOUND", "message": "Not Found"})
        status, answer = await town.call("DELETE", "/sandbox/faults")
        assert (status, answer["type"]) == (405, "METHOD_NOT_ALLOWED")

    play(story)

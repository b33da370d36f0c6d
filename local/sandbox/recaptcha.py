"""reCAPTCHA's siteverify (https://developers.google.com/recaptcha/docs/verify)."""

import hmac

from aiohttp import web

from local.sandbox.clock import Clock
from local.sandbox.faults import Faults, Mode
from local.sandbox.settings import Settings

PASSING_TOKEN = "sandbox-human"  # noqa: S105 - not a secret
"""The token that passes. Real tokens pass once, within two minutes; this one always passes. With
`;score=0.3;action=login;hostname=shop.example` behind it, each optional, siteverify says so."""


class Recaptcha:
    """Google's check whether a token came from a human."""

    def __init__(self, settings: Settings, faults: Faults, clock: Clock) -> None:
        self._secret = settings.captcha_secret
        self._faults = faults
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """`/recaptcha/api/siteverify`."""
        return [web.post("/recaptcha/api/siteverify", self._verify)]

    async def _verify(self, request: web.Request) -> web.Response:
        fault = self._faults.draw()
        if fault.mode is Mode.ERROR:
            # Proxies in front of Google respond in HTML, so a client must not rely on JSON.
            return web.Response(
                status=502, text="<html><title>502 Bad Gateway</title></html>", content_type="text/html"
            )
        given: dict[str, str] = {}
        try:
            form = await request.post()
        except (ValueError, LookupError):  # not a form, or an unknown charset
            errors = ["bad-request"]
        else:
            token, *more = _text(form.get("response")).split(";")
            given = dict(each.partition("=")[::2] for each in more)
            errors = self._errors(_text(form.get("secret")), token)
        await fault.delay()
        if errors:
            return web.json_response({"success": False, "error-codes": errors})
        challenged = self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        verdict: dict[str, object] = {"success": True, "challenge_ts": challenged, "hostname": "localhost", **given}
        if "score" in given:
            verdict["score"] = float(given["score"])
        return web.json_response(verdict)

    def _errors(self, secret: str, response: str) -> list[str]:
        errors = []
        if not secret:
            errors.append("missing-input-secret")
        elif not hmac.compare_digest(secret.encode(), self._secret.encode()):
            errors.append("invalid-input-secret")
        if not response:
            errors.append("missing-input-response")
        elif not errors and response != PASSING_TOKEN:
            errors.append("invalid-input-response")
        return errors


def _text(field: object) -> str:
    return field if isinstance(field, str) else ""  # a file upload counts as missing

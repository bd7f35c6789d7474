"""``wagate doctor``: would this account work?"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from wagate.clock import Clock
from wagate.errors import AccountStoppedError, SendError
from wagate.hooks import Finding, ProviderAccount
from wagate.http import HttpClient, HttpError, Response
from wagate.parsing.chats import chat_key, digits_of
from wagate.parsing.fields import first_text, identifier, mapping
from wagate_meta.api import Api, meta_api
from wagate_meta.errors import GraphError, error_of, failure, plain_reason, read_answer
from wagate_meta.settings import MetaSettings

FIELDS: Final = "display_phone_number,verified_name,quality_rating,code_verification_status"
_EXPIRED: Final = {463: "the token has expired", 467: "the token was withdrawn", 460: "the password was changed"}
"""``error_subcode`` of 190."""
_SKEW: Final = 120.0


class Doctor:
    """Asks Meta about an account."""

    def __init__(self, http: HttpClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    async def check(self, account: ProviderAccount) -> Sequence[Finding]:
        """Token and number, clock, webhook settings, app secret, subscription (with ``waba_id``)."""
        api, settings = meta_api(account), account.settings
        found = [*await self._number(api, account), *webhook_settings(account)]
        if settings.app_secret:
            found += await (self._app(api, settings) if settings.app_id else self._proof(api, settings))
        if settings.waba_id:
            found += await self._subscription(api, settings)
        return found

    async def _number(self, api: Api, account: ProviderAccount) -> list[Finding]:
        url = api.object(account.settings.phone_number_id, {"fields": FIELDS})
        try:
            answer = await api.ask(self._http, "GET", url)
        except HttpError as error:
            return [unreachable(error)]
        if answer.status != 200:
            return [token_finding(answer), *clock_findings(answer, self._clock)]
        return [*number_findings(read_answer(answer.body), account), *clock_findings(answer, self._clock)]

    async def _app(self, api: Api, settings: MetaSettings) -> list[Finding]:
        """Whether the app secret is right, and the token of the same app.

        Source: https://developers.facebook.com/docs/graph-api/reference/debug_token
        """
        app = msgspec.structs.replace(settings, access_token=f"{settings.app_id}|{settings.app_secret}")
        as_app = {"Authorization": f"Bearer {app.access_token}"}
        url = f"{api.base}/debug_token?{urlencode({'input_token': settings.access_token})}"
        try:
            answer = await self._http.request("GET", url, headers=as_app, trust=api.trust)
        except HttpError as error:
            return [unreachable(error)]
        if answer.status != 200:
            reason = plain_reason(GraphError.read(error_of(answer.body))) or f"HTTP {answer.status}"
            return [
                Finding(
                    level="fail",
                    what="app secret",
                    detail=f"app_id and app_secret don't match: {reason}",
                    next_step="copy both from App settings, Basic; webhooks are refused with a wrong secret",
                )
            ]
        data = mapping(read_answer(answer.body).get("data"))
        if identifier(data.get("app_id")) != settings.app_id:
            return [
                Finding(
                    level="warn",
                    what="app secret",
                    detail="access_token was made by another app than app_id",
                    next_step="the app whose webhook is set here must be the one with app_secret",
                )
            ]
        return [Finding(level="ok", what="app secret", detail="of the same app as the token")]

    async def _proof(self, api: Api, settings: MetaSettings) -> list[Finding]:
        """Whether the app secret is that of the token's app: Meta checks a proof by it. Nothing when it can't say.

        Source: https://developers.facebook.com/docs/graph-api/guides/secure-requests (appsecret_proof)
        """
        proof = hmac.digest(settings.app_secret.encode(), settings.access_token.encode(), hashlib.sha256).hex()
        url = api.object(settings.phone_number_id, {"fields": "id", "appsecret_proof": proof})
        try:
            answer = await api.ask(self._http, "GET", url)
        except HttpError:
            return []  # The number's own line says so.
        if answer.status == 200:
            return [Finding(level="ok", what="app secret", detail="of the same app as the token")]
        if "appsecret_proof" not in (plain_reason(GraphError.read(error_of(answer.body))) or ""):
            return []
        detail = "app_secret belongs to another app than access_token"
        step = "copy it from App settings, Basic, of that app; webhooks are refused with a wrong secret"
        return [Finding(level="fail", what="app secret", detail=detail, next_step=step)]

    async def _subscription(self, api: Api, settings: MetaSettings) -> list[Finding]:
        """Whether an app gets the account's webhooks at all."""
        url = f"{api.object(settings.waba_id)}/subscribed_apps"
        try:
            answer = await api.need(self._http, "GET", url)
        except (SendError, HttpError) as error:
            return [Finding(level="warn", what="subscription", detail=f"can't be seen: {error}")]
        apps = read_answer(answer.body).get("data")
        if isinstance(apps, list) and apps:
            return [Finding(level="ok", what="subscription", detail=f"{len(apps)} app(s) get the account's webhooks")]
        return [
            Finding(
                level="fail",
                what="subscription",
                detail="no app is subscribed to the WhatsApp Business Account, so nothing is received",
                next_step=f"POST /{settings.waba_id}/subscribed_apps with the token, or subscribe in the app's console",
            )
        ]


def unreachable(error: HttpError) -> Finding:
    """The finding of a request without an answer."""
    return Finding(
        level="fail", what="reachable", detail=error.reason, next_step="check base_url, proxy, DNS and firewall"
    )


def token_finding(answer: Response) -> Finding:
    """What an answer that is no success says about the token and the number's id."""
    error = GraphError.read(error_of(answer.body))
    reason = plain_reason(error) or f"HTTP {answer.status}"
    if error.code == 190:
        why = _EXPIRED.get(error.subcode or 0, "the token is not accepted")
        return Finding(level="fail", what="token", detail=f"{why}: {reason}", next_step="make a system user's token")
    if isinstance(failure(answer, ""), AccountStoppedError) or error.code == 100:
        return Finding(
            level="fail",
            what="token",
            detail=reason,
            next_step="the token needs whatsapp_business_messaging for the number; is phone_number_id its id?",
        )
    return Finding(level="warn", what="token", detail=f"Meta is unavailable now: {reason}", next_step="try again later")


def number_findings(document: dict[str, Any], account: ProviderAccount) -> Iterator[Finding]:
    """What Meta says about the number."""
    shown = first_text(document, "display_phone_number")
    digits = digits_of(chat_key(shown))
    name = first_text(document, "verified_name")
    yield Finding(level="ok", what="token", detail=f"accepted for {name or 'the number'} (…{digits[-4:]})")
    if account.phone and digits and account.phone != digits:
        yield Finding(
            level="warn",
            what="number",
            detail=f"phone_number_id is of …{digits[-4:]}, the account's phone is …{account.phone[-4:]}",
            next_step="set the account's phone, or the right phone_number_id",
        )
    if first_text(document, "quality_rating") == "RED":
        yield Finding(
            level="warn",
            what="quality",
            detail="Meta rates the number's quality as low (RED)",
            next_step="send fewer messages that people block; Meta lowers the limits of such numbers",
        )


def webhook_settings(account: ProviderAccount) -> Iterator[Finding]:
    """What is missing for webhooks to come in."""
    settings = account.settings
    missing = [name for name in ("app_secret", "verify_token") if not getattr(settings, name)]
    if missing:
        yield Finding(
            level="fail",
            what="webhook",
            detail=f"{' and '.join(missing)} not set: webhooks from Meta are refused",
            next_step="app_secret is in App settings, Basic; verify_token is the text you enter beside the webhook URL",
        )
    elif not account.webhook_url:
        yield Finding(
            level="warn",
            what="webhook",
            detail="server.public_url is not set",
            next_step="set it, and give Meta <public_url>/webhooks/<account>",
        )
    else:
        yield Finding(level="ok", what="webhook", detail=f"complete; Meta's callback URL is {account.webhook_url}")


def clock_findings(answer: Response, clock: Clock) -> Iterator[Finding]:
    """Whether our clock is far from the answer's Date."""
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    skew = (clock.now() - aware).total_seconds()
    if abs(skew) > _SKEW:
        yield Finding(
            level="warn",
            what="clock",
            detail=f"ours is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} Meta's",
            next_step="synchronize this machine's clock (NTP)",
        )

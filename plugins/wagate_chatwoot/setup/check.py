"""What ``wagate doctor`` says about an inbox: names, token, inbox, webhook, secret, and whether Chatwoot reaches us.

And its trial in both directions: write a note in Chatwoot, and see whether Chatwoot's webhook about it came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import trio

from wagate.hooks import Check, Finding, PluginContext
from wagate.http import HttpClient, HttpError
from wagate.parsing.fields import first_text, mapping, whole
from wagate_chatwoot.agents.asks import STATUS_SOURCE
from wagate_chatwoot.api.client import PATIENCE, Chatwoot
from wagate_chatwoot.api.errors import BusyError, ChatwootError, ChatwootStoppedError, NotThereError, TakenError
from wagate_chatwoot.api.posts import Post
from wagate_chatwoot.inboxes import Apps
from wagate_chatwoot.settings import Inbox

API_CHANNEL: Final = "Channel::Api"
PRIVATE: Final = "no public ip addresses"
"""In ``external_error`` since Chatwoot 4.14.0, when a webhook's host is private (its lib/safe_fetch)."""
LAN_CURE: Final = (
    "set SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true for Chatwoot's web and worker (it exists from 4.14.1; 4.14.0 must be "
    "updated), or give the webhook a public address"
)
SHORTEST: Final = 16
"""Characters of a secret that people choose."""
RECENT: Final = 3
"""Conversations in which messages are looked at that Chatwoot could not hand over."""
_LOCAL: Final = ("localhost", ".local", ".internal", ".lan", ".home.arpa")
TRIAL_PATIENCE: Final = 12.0
"""Seconds: Chatwoot gives a webhook 5, and its queue takes its time."""
EVERY: Final = 0.25
OUT: Final = "wagate to Chatwoot"
BACK: Final = "Chatwoot to wagate"

Heard = Callable[[], Awaitable[float | None]]
"""When the gateway last heard of Chatwoot, Unix seconds; None: it does not know the inbox."""


def make_checks(context: PluginContext, apps: Apps) -> Sequence[Check]:
    """One for each inbox, as it is when it is looked at."""

    def make(name: str) -> Check:
        async def look() -> Sequence[Finding]:
            inbox = apps[name].inbox
            found = account_findings(context, inbox)
            found += await check_inbox(context.http, name, inbox, public_url=context.public_url)
            return [msgspec.structs.replace(each, what=f"{name}: {each.what}") for each in found]

        return look

    return [make(name) for name in apps]


async def check_inbox(http: HttpClient, name: str, inbox: Inbox, *, public_url: str) -> list[Finding]:
    """All that is to be said about one inbox; nothing is changed."""
    chatwoot = Chatwoot(http, inbox)
    try:
        row = await chatwoot.inbox()
    except ChatwootError as error:
        return [token_finding(error)]
    found = [Finding(level="ok", what="token", detail="Chatwoot accepts it")]
    if (version := await server_version(http, inbox.url)) is not None:
        found.append(version)
    found += inbox_findings(row, name, inbox, public_url=public_url)
    try:
        found += await _failed_webhooks(chatwoot, inbox)
    except ChatwootError as error:
        found.append(Finding(level="warn", what="messages", detail=error.reason))
    return found


def account_findings(context: PluginContext, inbox: Inbox) -> list[Finding]:
    """Names that lead nowhere; nobody notices, as nothing fails. Without a gateway no client is known, and none is."""
    clients = {each.slug: each.id for each in context.accounts.clients()}
    if not clients:
        return []
    if inbox.client not in clients:
        step = "write the slug of a client into client, and restart (wagate client list shows them)"
        detail = f"there is no client {inbox.client}: no message reaches this inbox"
        return [Finding(level="fail", what="client", detail=detail, next_step=step)]
    mine = {each.name for each in context.accounts.of(clients[inbox.client])}
    step = "was it renamed? write its new name into accounts, and restart; or remove it there"
    return [
        Finding(
            level="fail",
            what="accounts",
            detail=f"{inbox.client} has no account {name}: no message of it reaches this inbox",
            next_step=step,
        )
        for name in inbox.accounts
        if name not in mine
    ]


def token_finding(error: ChatwootError) -> Finding:
    """Why Chatwoot did not show the inbox, and the cure. Pure."""
    said = error.reason.partition(";")[0]
    lower = said.lower()
    if isinstance(error, NotThereError):
        step = "account_id and inbox_id are the numbers in Chatwoot's URLs, …/accounts/<id>/settings/inboxes/<id>"
        return Finding(level="fail", what="inbox", detail="Chatwoot has no such inbox or account", next_step=step)
    if isinstance(error, BusyError):
        step = f"try again in {error.after:.0f} s; RACK_ATTACK_ALLOWED_IPS in Chatwoot's environment exempts wagate"
        return Finding(level="warn", what="rate limit", detail=said, next_step=step)
    if not isinstance(error, ChatwootStoppedError):
        step = "is url right, and is Chatwoot running?"
        return Finding(level="fail", what="reachable", detail=said, next_step=step)
    if "bots" in lower:
        step = "use an agent's or administrator's token (Profile settings, Access token); a bot's may not see contacts"
    elif "suspended" in lower:
        step = "Chatwoot's administrators suspended the account"
    elif "not authorized" in lower:
        step = "make the token's user an agent of this account, and a collaborator of the inbox"
    elif error.http_status == 401:
        step = (
            "copy the token again (Profile settings, Access token); if it is right, the proxy in front of Chatwoot "
            "drops the header api_access_token: nginx needs underscores_in_headers on"
        )
    else:
        step = "check url: it must be Chatwoot's own address, without a path and not one that redirects"
    return Finding(level="fail", what="token", detail=said, next_step=step)


def inbox_findings(row: dict[str, Any], name: str, inbox: Inbox, *, public_url: str) -> list[Finding]:
    """What is wrong with the inbox as Chatwoot shows it. Pure."""
    channel = first_text(row, "channel_type")
    if channel and channel != API_CHANNEL:
        step = "make an inbox of the channel API; wagate chatwoot connect does it"
        return [Finding(level="fail", what="inbox", detail=f"its channel is {channel}", next_step=step)]
    found = [Finding(level="ok", what="inbox", detail=first_text(row, "name") or str(inbox.inbox_id))]
    found += [webhook_finding(first_text(row, "webhook_url"), name, inbox, public_url=public_url)]
    found += [secret_finding(row, inbox)]
    return found


def webhook_finding(url: str, name: str, inbox: Inbox, *, public_url: str) -> Finding:
    """Whether Chatwoot posts to us. Pure."""
    owner = next(iter(inbox.accounts), inbox.client)
    wanted = webhook_url(public_url or "https://<this gateway>", owner, name, inbox.webhook_token)
    step = f"in the inbox' settings, set the webhook URL to {_shown(wanted)}"
    parts = urlsplit(url)
    if not url:
        return Finding(level="fail", what="webhook", detail="the inbox has no webhook URL", next_step=step)
    owners = {inbox.client, *inbox.accounts} if inbox.accounts else None
    pieces = parts.path.rstrip("/").split("/")
    ours = pieces[-4:-2] == ["webhooks", "chatwoot"] and pieces[-1] == name and (not owners or pieces[-2] in owners)
    if not ours:
        detail = f"Chatwoot posts to {_shown(url)}"
        return Finding(level="fail", what="webhook", detail=detail, next_step=step)
    if not inbox.secret and parse_qs(parts.query).get("token") != [inbox.webhook_token]:
        detail = "its ?token= is not webhook_token, and there is no secret: every webhook is refused"
        return Finding(level="fail", what="webhook", detail=detail, next_step=step)
    if is_private(parts.hostname or ""):
        detail = f"{parts.hostname} is a private address: Chatwoot refuses those from 4.14.0 on"
        return Finding(level="warn", what="webhook", detail=detail, next_step=LAN_CURE)
    if not public_url:
        step = "set server.public_url: agents' links to deliveries, and providers' webhooks, need it"
        return Finding(level="warn", what="webhook", detail="ours; server.public_url is not set", next_step=step)
    return Finding(level="ok", what="webhook", detail=_shown(url))


def secret_finding(row: Mapping[str, Any], inbox: Inbox) -> Finding:
    """Whether Chatwoot signs with the secret that we check. Pure."""
    shown = row.get("secret")
    if isinstance(shown, str) and shown:
        if shown == inbox.secret:
            return Finding(level="ok", what="secret", detail="the same on both sides")
        detail = "not the one that Chatwoot signs with" if inbox.secret else "not set, though Chatwoot signs"
        step = "copy the inbox' webhook secret from Chatwoot into secret (Settings, Inboxes, Configuration)"
        return Finding(level="fail", what="secret", detail=f"it is {detail}", next_step=step)
    if inbox.secret:
        detail = "can't be compared: only administrators see it, and this token is an agent's"
        return Finding(level="ok", what="secret", detail=detail)
    if 0 < len(inbox.webhook_token) < SHORTEST:
        detail = f"webhook_token has fewer than {SHORTEST} characters: it can be guessed"
        step = "choose a longer one, here and in the webhook URL, or use secret (Chatwoot 4.13 or newer)"
        return Finding(level="warn", what="secret", detail=detail, next_step=step)
    if inbox.webhook_token:
        return Finding(level="ok", what="secret", detail="webhook_token is used instead")
    step = "set secret (from 4.13 on), or webhook_token and ?token= in the webhook URL: else every webhook is refused"
    return Finding(level="fail", what="secret", detail="neither secret nor webhook_token is set", next_step=step)


def failure_finding(error: str) -> Finding | None:
    """What Chatwoot's own word for a webhook that failed means; None: it is about something else. Pure."""
    lower = error.lower()
    if PRIVATE in lower:
        return Finding(level="fail", what="reachable from Chatwoot", detail=error, next_step=LAN_CURE)
    if lower.startswith("401"):
        step = "compare secret with the inbox' webhook secret in Chatwoot, and the clocks of both machines"
    elif lower.startswith("404"):
        step = "restart the gateway if it does not know the inbox yet; or the webhook URL must end in the table's name"
    elif any(sign in lower for sign in ("timeout", "connection", "getaddrinfo", "ssl", "certificate", "end of file")):
        step = "from Chatwoot's machine, try curl on the webhook URL's host: it must answer /ping"
    elif lower[:3].isdigit() and lower[:1] == "5":
        step = "check the log of the gateway, and of the proxy in front of it"
    else:
        return None
    return Finding(level="warn", what="reachable from Chatwoot", detail=error, next_step=step)


def is_private(host: str) -> bool:
    """Whether a host's name or address says that only a local network has it. Pure."""
    try:
        return not ip_address(host.strip("[]")).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL)


def webhook_url(base: str, owner: str, name: str, token: str = "") -> str:
    """What Chatwoot must post to."""
    return f"{base.rstrip('/')}/webhooks/chatwoot/{owner}/{name}" + (f"?token={token}" if token else "")


async def server_version(http: HttpClient, url: str) -> Finding | None:
    """Chatwoot's version, when it tells."""
    try:
        answer = await http.request("GET", f"{url.rstrip('/')}/api", timeout=PATIENCE / 2, trust="operator")
        version = first_text(mapping(msgspec.json.decode(answer.body)), "version")
    except (HttpError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isascii() and part.isdigit())
    if len(numbers) < 2:
        return None
    if numbers < (4, 2):
        step = "update Chatwoot: it shows sent, delivered and read from 4.2.0 on, and signs from 4.13.0 on"
        return Finding(level="warn", what="version", detail=version, next_step=step)
    return Finding(level="ok", what="version", detail=version)


async def _failed_webhooks(chatwoot: Chatwoot, inbox: Inbox) -> list[Finding]:
    """What the last messages say that Chatwoot could not hand over."""
    query = {"inbox_id": inbox.inbox_id, "status": "all", "assignee_type": "all"}
    answer = mapping(await chatwoot.call("GET", "conversations", query=query))
    rows = mapping(answer.get("data")).get("payload")
    for row in (rows if isinstance(rows, list) else [])[:RECENT]:
        for message in reversed(await chatwoot.messages(whole(mapping(row).get("id")) or 0)):
            said = first_text(mapping(message.get("content_attributes")), "external_error")
            if said and (finding := failure_finding(said)) is not None:
                return [finding]
            if not said and message.get("message_type") in {0, 1}:
                return []  # Its webhook went well, and it is later than what failed.
    return []


def _shown(url: str) -> str:
    """Without what is secret in it."""
    return url.partition("?")[0] + ("?token=•••" if "token=" in url else "")


async def trial(http: HttpClient, inbox: Inbox, *, note: str, name: str, heard: Heard) -> list[Finding]:
    """One line for each direction. ``note`` is what is written; only agents see it."""
    chatwoot = Chatwoot(http, inbox)
    before = await heard()
    try:
        conversation = await _trial_conversation(chatwoot, inbox, name)
        post = Post(content=note, message_type="outgoing", private=True)
        message = await chatwoot.post(conversation, post)
        found = [Finding(level="ok", what=OUT, detail="a note was written")]
        return [*found, await _back(chatwoot, conversation, message.id, before, heard)]
    except ChatwootError as error:
        finding = token_finding(error)
        return [Finding(level="fail", what=OUT, detail=finding.detail, next_step=finding.next_step)]


async def _back(chatwoot: Chatwoot, conversation: int, message: int, before: float | None, heard: Heard) -> Finding:
    with trio.move_on_after(TRIAL_PATIENCE):
        while True:
            now = await heard()
            if now is not None and now > (before or 0.0):
                return Finding(level="ok", what=BACK, detail="its webhook arrived and was verified")
            if said := await _send_error(chatwoot, conversation, message):
                return _not_back(said, known=now is not None)
            await trio.sleep(EVERY)
    step = "check Chatwoot's worker (Sidekiq): its webhooks may be late, or the inbox has a different webhook URL"
    return Finding(level="warn", what=BACK, detail=f"nothing arrived within {TRIAL_PATIENCE:g} s", next_step=step)


def _not_back(said: str, *, known: bool) -> Finding:
    if said.startswith("404") and not known:
        step = "restart the gateway, so that it knows the inbox, and try again with: wagate chatwoot test"
        return Finding(level="warn", what=BACK, detail="Chatwoot reaches a gateway (404)", next_step=step)
    finding = failure_finding(said)
    step = finding.next_step if finding is not None else "check the gateway's log"
    return Finding(level="fail", what=BACK, detail=said, next_step=step)


async def _send_error(chatwoot: Chatwoot, conversation: int, message: int) -> str:
    for row in await chatwoot.messages(conversation):
        if row.get("id") == message and row.get("status") == "failed":
            return first_text(mapping(row.get("content_attributes")), "external_error") or "failed"
    return ""


async def _trial_conversation(chatwoot: Chatwoot, inbox: Inbox, name: str) -> int:
    """The conversation of the integration, as the gateway would find or make it."""
    contact = await chatwoot.contact_by_source(STATUS_SOURCE)
    if contact is None:
        try:
            contact = await chatwoot.create_contact(STATUS_SOURCE, name=name, identifier=STATUS_SOURCE)
        except TakenError:
            [contact, *_] = await chatwoot.contacts_with([("identifier", STATUS_SOURCE)])
            await chatwoot.add_source(contact.id, STATUS_SOURCE)
    ours = [each for each in await chatwoot.conversations_of(contact.id) if each.inbox_id == inbox.inbox_id]
    if ours:
        return max(each.id for each in ours)
    return (await chatwoot.create_conversation(contact.id, STATUS_SOURCE)).id

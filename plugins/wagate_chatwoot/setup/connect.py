"""Set up an inbox: in Chatwoot as far as its token allows, and as the settings that wagate needs. Used by commands.

Settings are a table added at the end of config.toml, with secrets in files beside it. What stands there stays.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from wagate.errors import ConfigError
from wagate.http import HttpClient, HttpError
from wagate.parsing.fields import first_text, mapping, whole
from wagate_chatwoot.api.client import PATIENCE, Chatwoot
from wagate_chatwoot.api.errors import AmbiguousError, ChatwootError, ChatwootStoppedError, classify
from wagate_chatwoot.settings import Inbox
from wagate_chatwoot.setup.check import API_CHANNEL, token_finding, webhook_url

WINDOW: Final = 24
"""Hours after a customer's last message in which Meta lets free text through."""
CLOUD: Final = frozenset({"meta", "dialog360", "infobip", "twilio"})
"""Providers whose numbers have that rule."""
FOLDER: Final = "secrets"
"""Beside config.toml, for its owner alone."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """An account of Chatwoot that the token may use."""

    id: int
    name: str
    role: str
    """administrator or agent."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An API inbox that is there."""

    id: int
    name: str
    webhook_url: str


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be connected."""

    url: str
    token: str
    owner: Owner
    table: str
    """Name of the table, and last part of the webhook's URL."""
    base: str
    """How Chatwoot reaches the gateway."""
    accounts: tuple[str, ...] = ()
    client: str = "default"
    inbox_id: int | None = None
    """None: one is made."""
    inbox_name: str = "WhatsApp"
    secret: str = ""
    """Given by hand, for tokens that may not see it."""
    window: bool = False
    """Whether Chatwoot should know of `WINDOW`."""
    change: bool = False
    """Whether an inbox that posts elsewhere may be made to post here."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    inbox: Inbox
    name: str
    """Of the inbox in Chatwoot."""
    webhook_url: str
    did: Literal["made", "found", "changed"]
    to_change: str = ""
    """What somebody has to change in Chatwoot by hand; '' for nothing."""


async def owners(http: HttpClient, url: str, token: str) -> list[Owner]:
    """The accounts that a token may use. ConfigError: why there is none, and the cure."""
    try:
        found = mapping(await _get(http, f"{url.rstrip('/')}/api/v1/profile", token))
    except ChatwootError as error:
        raise ConfigError(_refused(error)) from error
    rows = found.get("accounts")
    return [
        Owner(id=number, name=first_text(row, "name"), role=first_text(row, "role"))
        for row in map(mapping, rows if isinstance(rows, list) else [])
        if (number := whole(row.get("id"))) is not None
    ]


async def api_inboxes(http: HttpClient, url: str, token: str, owner: Owner) -> list[Known]:
    """An account's inboxes of the channel API. ConfigError."""
    chatwoot = Chatwoot(http, _settings(url, token, owner, 1))
    try:
        rows = mapping(await chatwoot.call("GET", "inboxes")).get("payload")
    except ChatwootError as error:
        raise ConfigError(_refused(error)) from error
    return [
        Known(id=number, name=first_text(row, "name"), webhook_url=first_text(row, "webhook_url"))
        for row in map(mapping, rows if isinstance(rows, list) else [])
        if row.get("channel_type") == API_CHANNEL and (number := whole(row.get("id"))) is not None
    ]


async def connect(http: HttpClient, wish: Wish) -> Made:
    """Make the inbox, or take the one that is there; nothing is written on our side.

    One that an earlier call made and did not finish is taken in place of a new one: it posts to this very URL, or has
    the name and posts nowhere yet.

    Raises:
        ConfigError: Chatwoot refused, or shows no secret; the message says what to do, and what was done.
    """
    owner = next(iter(wish.accounts), wish.client)
    wanted = webhook_url(wish.base, owner, wish.table)
    try:
        there = wish.inbox_id or await _same(http, wish, wanted)
        chatwoot = Chatwoot(http, _settings(wish.url, wish.token, wish.owner, there or 1))
        if there is None:
            return await _made(chatwoot, wish, wanted)
        return await _finished(chatwoot, wish, await chatwoot.inbox(), wanted, did="found")
    except ChatwootError as error:
        raise ConfigError(_refused(error)) from error


async def _made(chatwoot: Chatwoot, wish: Wish, wanted: str) -> Made:
    try:
        row = await _make(chatwoot, wish, wanted)
    except AmbiguousError as error:
        unknown = "the inbox may or may not exist now; run the same command again, which looks for it first"
        raise ConfigError(f"Chatwoot: {error.reason}; {unknown}") from error
    try:
        return await _finished(chatwoot, wish, row, wanted, did="made")
    except (ChatwootError, ConfigError) as error:
        reason = _refused(error) if isinstance(error, ChatwootError) else str(error)
        raise ConfigError(f"{reason}\n{left_behind(row.get('id'), wish.inbox_name)}") from error


def left_behind(inbox: object, name: str) -> str:
    """What somebody should know who has an inbox in Chatwoot and no table yet."""
    return f'inbox {inbox} "{name}" now exists in Chatwoot; run the same command again to continue with it'


async def _same(http: HttpClient, wish: Wish, wanted: str) -> int | None:
    """The inbox that an earlier call left. ConfigError: one that posts to another gateway has our name and table."""
    known = await api_inboxes(http, wish.url, wish.token, wish.owner)
    posting = next((each for each in known if each.webhook_url.partition("?")[0] == wanted), None)
    named = [each for each in known if each.name == wish.inbox_name]
    unfinished = posting or next((each for each in named if not each.webhook_url), None)
    if unfinished is not None:
        return unfinished.id
    path = urlsplit(wanted).path
    for each in named:
        if urlsplit(each.webhook_url).path == path:
            raise ConfigError(
                f'inbox {each.id} "{each.name}" posts to {each.webhook_url.partition("?")[0]} already: say --inbox '
                f"{each.id} --change to have it post here, or make another with --inbox-name"
            )
    return None


async def _make(chatwoot: Chatwoot, wish: Wish, wanted: str) -> dict[str, Any]:
    if wish.owner.role != "administrator":
        raise ConfigError(
            "only an administrator's token may make an inbox: use one, or have an inbox of the channel API made with "
            f"the webhook URL {wanted}, and name it with --inbox and --secret"
        )
    channel: dict[str, Any] = {"type": "api", "webhook_url": wanted}
    if wish.window:
        channel["additional_attributes"] = {"agent_reply_time_window": WINDOW}
    return mapping(await chatwoot.call("POST", "inboxes", {"name": wish.inbox_name, "channel": channel}, creates=True))


async def _finished(
    chatwoot: Chatwoot, wish: Wish, row: dict[str, Any], wanted: str, *, did: Literal["made", "found"]
) -> Made:
    """With a way to prove who posts, and posting to us."""
    number = whole(row.get("id"))
    if number is None or row.get("channel_type", API_CHANNEL) != API_CHANNEL:
        raise ConfigError("that inbox's channel is not API; leave --inbox out to create one")
    secret, token = wish.secret or first_text(row, "secret"), ""
    administrator = wish.owner.role == "administrator"
    if not secret and not administrator:
        raise ConfigError(
            "only an administrator's token sees the inbox' webhook secret: use one, or give --secret as the inbox' "
            "settings in Chatwoot show it (before 4.13 there is none)"
        )
    posts_to = first_text(row, "webhook_url")
    ours = posts_to.partition("?")[0] in {"", wanted}
    if not secret:
        # A server that does not sign: what only it knows stands in the URL.
        token = next(iter(parse_qs(urlsplit(posts_to).query).get("token", [])), "") if ours else ""
        token = token or secrets.token_urlsafe(24)
        wanted = f"{wanted}?token={token}"
    inbox = msgspec.structs.replace(
        _settings(wish.url, wish.token, wish.owner, number),
        secret=secret,
        webhook_token=token,
        accounts=wish.accounts,
        client=wish.client,
    )
    name = first_text(row, "name")
    if posts_to == wanted:
        return Made(inbox=inbox, name=name, webhook_url=wanted, did=did)
    if administrator and (wish.change or ours):
        await chatwoot.call("PATCH", f"inboxes/{number}", {"channel": {"webhook_url": wanted}})
        return Made(inbox=inbox, name=name, webhook_url=wanted, did=did if ours else "changed")
    step = f"in Chatwoot, Settings, Inboxes, {name}, Configuration: set the webhook URL to {wanted}"
    return Made(inbox=inbox, name=name, webhook_url=wanted, did=did, to_change=step)


def _settings(url: str, token: str, owner: Owner, inbox_id: int) -> Inbox:
    return Inbox(url=url.rstrip("/"), account_id=owner.id, token=token, inbox_id=inbox_id)


async def _get(http: HttpClient, url: str, token: str) -> Any:
    headers = {"api_access_token": token, "Accept": "application/json"}
    try:
        answer = await http.request("GET", url, headers=headers, timeout=PATIENCE, trust="operator")
    except HttpError as error:
        raise classify(error, creates=False) or ChatwootStoppedError(error.reason) from error
    if (refused := classify(answer, creates=False)) is not None:
        raise refused
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChatwootStoppedError("the server there is not Chatwoot") from error


def _refused(error: ChatwootError) -> str:
    finding = token_finding(error)
    return f"Chatwoot: {finding.detail}; {finding.next_step}"


def needs_window(accounts: Sequence[str], providers: dict[str, str]) -> bool:
    """Whether the numbers behind an inbox have the 24-hour rule: all of those that are known. Pure."""
    of = [providers[name] for name in accounts or providers if name in providers]
    return bool(of) and all(provider in CLOUD for provider in of)


def table_text(name: str, values: Mapping[str, Any]) -> str:
    """``[plugins.chatwoot.inboxes.<name>]`` as TOML; texts, numbers and lists of texts. Pure."""
    # A basic string of TOML is one of JSON, but for DEL, which no such value has.
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]
    return "\n".join([f"[plugins.chatwoot.inboxes.{msgspec.json.encode(name).decode()}]", *lines, ""])


def check_place(file: Path, name: str) -> None:
    """ConfigError: there is no such file, it has a table of this name, or it and its secrets can't be written."""
    if not file.is_file():
        raise ConfigError(f'{file}: there is no such file; "wagate init" writes one')
    try:
        table: Any = tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    for key in ("plugins", "chatwoot", "inboxes", name):
        table = table.get(key) if isinstance(table, dict) else None
    if table is not None:
        raise ConfigError(f"{file}: [plugins.chatwoot.inboxes.{name}] already exists; choose another --name")
    folder = file.parent / FOLDER
    for place in (file, folder if folder.exists() else file.parent):
        # What is refused here would otherwise fail when the inbox is made already.
        if not os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
            raise ConfigError(f"{place}: you may not write there; nothing was done; run this as {_owner(place)}")


def _owner(place: Path) -> str:
    try:
        return place.owner()
    except KeyError:  # the number has no name
        return "its owner"


def add_table(file: Path, name: str, values: Mapping[str, Any]) -> None:
    """Append it. ConfigError: the file would be wrong with it; nothing was written."""
    before = file.read_text("utf-8-sig")
    added = ("" if before.endswith("\n") or not before else "\n") + "\n" + table_text(name, values)
    try:
        tomllib.loads(before + added)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{file}: a table can't be added at its end ({error}); add this by hand:\n{added.strip()}"
        ) from error
    try:
        with file.open("a", encoding="utf-8", newline="\n") as opened:
            opened.write(added)
    except OSError as error:
        raise ConfigError(f"{file}: can't be written: {error.strerror}; add this by hand:\n{added.strip()}") from error


def keep_secrets(file: Path, secrets: Sequence[tuple[str, str]], *, reader: Path) -> dict[str, str]:
    """Write each (name, secret) into a file of its own; name → what config.toml says in its place.

    A secret that is ``env:…`` already is left so. A file that is there is replaced only when nothing refers to it:
    the caller has made sure that the table is new. When root writes them, they are made for the owner of ``reader``
    (the data folder: the gateway's user).
    """
    folder = file.parent / FOLDER
    said = {}
    for name, secret in secrets:
        if secret.startswith(("env:", "file:")):
            said[name] = secret
            continue
        place = folder / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_uid == os.geteuid():
                _hand_over(folder, file, reader, group=0o050)
            place.unlink(missing_ok=True)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(secret)
            _hand_over(place, file, reader, group=0o040)
        except OSError as error:
            raise ConfigError(f"{place}: can't be written: {error.strerror}") from error
        said[name] = f"file:{FOLDER}/{name}"
    return said


def _hand_over(place: Path, file: Path, reader: Path, *, group: int) -> None:
    """What root made → the gateway's user; while its folder is not there, whoever may read config.toml."""
    if os.geteuid() != 0:
        return
    try:
        owner = reader.stat()
    except FileNotFoundError:
        owner = file.stat()
        if owner.st_mode & 0o040 and owner.st_gid != 0:
            place.chmod(place.stat().st_mode | group)
    os.chown(place, owner.st_uid, owner.st_gid)

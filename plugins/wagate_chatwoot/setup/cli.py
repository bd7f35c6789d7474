"""``wagate chatwoot``: connect an inbox, try it, pull contacts and messages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import trio
import typer

from wagate.errors import WagateError
from wagate.hooks import Finding
from wagate.hooks.commands import CommandLine, command_line
from wagate.parsing.printable import printable
from wagate_chatwoot.agents.texts import text
from wagate_chatwoot.inboxes import bad_name
from wagate_chatwoot.settings import Inbox, Settings
from wagate_chatwoot.setup.check import trial
from wagate_chatwoot.setup.connect import (
    Known,
    Made,
    Owner,
    Wish,
    add_table,
    api_inboxes,
    check_place,
    connect,
    keep_secrets,
    left_behind,
    needs_window,
    owners,
    table_text,
)

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and ask nothing.")]
Name = Annotated[str, typer.Option(help="Name of the inbox, in config.toml and in the webhook's URL.")]
SIGNS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


@app.command("connect")
def connect_command(
    context: typer.Context,
    *,
    url: Annotated[str, typer.Option(help="Chatwoot's URL, such as https://chat.example.org.")] = "",
    token: Annotated[str, typer.Option(help="An administrator's access token, or env:NAME for a variable.")] = "",
    account_id: Annotated[int, typer.Option(help="Chatwoot's account, if the token has several.")] = 0,
    inbox: Annotated[int, typer.Option(help="An existing API inbox; default: make one.")] = 0,
    inbox_name: Annotated[str, typer.Option(help="Name of a new inbox in Chatwoot.")] = "WhatsApp",
    name: Name = "support",
    account: Annotated[list[str] | None, typer.Option(help="An account of wagate to show there; default: all.")] = None,
    client: Annotated[str, typer.Option(help="The client whose accounts to show, by slug.")] = "default",
    gateway: Annotated[str, typer.Option(help="This gateway's URL for Chatwoot; default: server.public_url.")] = "",
    secret: Annotated[str, typer.Option(help="The inbox's webhook secret, if the token can't read it.")] = "",
    locale: Annotated[str, typer.Option(help="Language of the texts that wagate writes.")] = "en",
    change: Annotated[bool, typer.Option(help="Change the webhook of an inbox that posts elsewhere.")] = False,
    as_json: Json = False,
) -> None:
    """Connect an inbox: make it in Chatwoot, read its secret, add it to config.toml, and try it."""
    line = command_line(context)
    if reason := bad_name(name):
        raise line.refuse(f"--name {name}: {reason}")
    check_place(line.config_file, name)
    base = gateway or line.public_url
    if not base:
        raise line.refuse("Chatwoot needs a URL of this gateway: set server.public_url or give --gateway URL")
    quiet = as_json or not sys.stdin.isatty()
    url = url or _ask(line, "Chatwoot's address", "--url", quiet=quiet)
    token = token or _ask(line, "Access token (Profile settings)", "--token", quiet=quiet, hidden=True)
    bare = _read(line, token)
    owner = _choose_owner(line, trio.run(owners, line.http(), url, bare), account_id, quiet=quiet)
    if not inbox and not quiet:
        inbox = _choose_inbox(trio.run(api_inboxes, line.http(), url, bare, owner))
    wish = Wish(
        url=url,
        token=bare,
        owner=owner,
        table=name,
        base=base,
        accounts=tuple(account or ()),
        client=client,
        inbox_id=inbox or None,
        inbox_name=inbox_name,
        secret=_read(line, secret),
        window=needs_window(account or (), dict(line.accounts)),
        change=change,
    )
    made = trio.run(connect, line.http(), wish)
    given = {"token": token, "secret": secret or made.inbox.secret, "webhook_token": made.inbox.webhook_token}
    try:
        written = _write(line, name, made, given, locale)
    except WagateError as error:
        raise line.refuse(f"{error}\n{left_behind(made.inbox.inbox_id, made.name)}") from error
    runs, tried = _tried(line, name, made, locale)
    _tell(made, written, name, tried, runs=runs, as_json=as_json)


def _tried(line: CommandLine, name: str, made: Made, locale: str) -> tuple[bool, list[Finding]]:
    """Whether a gateway runs, and what a trial found. All is done by now: nothing here may hide that."""
    try:
        runs = line.runs()
        return runs, _try(line, name, made.inbox, locale) if runs and not made.to_change else []
    except WagateError as error:
        return True, [Finding(level="warn", what="trial", detail=str(error))]


@app.command("test")
def try_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the inbox; default: the only one.")] = "",
    as_json: Json = False,
) -> None:
    """Try an inbox in both directions: write a note for agents in Chatwoot, and wait for its webhook."""
    line = command_line(context)
    inboxes = line.settings("chatwoot", Settings).inboxes
    name = name or (next(iter(inboxes)) if len(inboxes) == 1 else "")
    if name not in inboxes:
        raise line.refuse("which inbox? there are: " + (", ".join(inboxes) or "none; wagate chatwoot connect adds one"))
    found = _try(line, name, inboxes[name], inboxes[name].locale)
    if as_json:
        _print_json([_json(each) for each in found])
    else:
        _print(found)
    if any(each.level == "fail" for each in found):
        raise typer.Exit(1)


@app.command("pull")
def pull_command(
    context: typer.Context,
    what: Annotated[str, typer.Argument(help="What to pull: contacts or messages.")],
    name: Name = "support",
    since: Annotated[str, typer.Option(help="Pull messages that are not older.")] = "7d",
    as_json: Json = False,
) -> None:
    """Have the running gateway write contacts, or older messages, to Chatwoot, slowly."""
    line = command_line(context)
    begun = line.ask("POST", "/plugins/chatwoot/pulls", {"inbox": name, "what": what, "since": since})
    if as_json:
        _print_json(begun)
    else:
        typer.echo(f"{what}: {begun['state']}, {begun['done']} so far; see GET /plugins/chatwoot/pulls", err=True)


def _ask(line: CommandLine, question: str, option: str, *, quiet: bool, hidden: bool = False) -> str:
    if quiet:
        raise line.refuse(f"{option} is missing")
    return str(typer.prompt(question, hide_input=hidden, err=True)).strip()


def _read(line: CommandLine, value: str) -> str:
    """What ``env:NAME`` stands for, without the line end that may be around it."""
    if not value.startswith("env:"):
        return value.strip()
    variable = value.removeprefix("env:")
    if variable not in os.environ:
        raise line.refuse(f"the environment variable {variable} is not set")
    return os.environ[variable].strip()


def _choose_owner(line: CommandLine, found: Sequence[Owner], wanted: int, *, quiet: bool) -> Owner:
    rows = [each for each in found if wanted in {0, each.id}]
    if not rows:
        raise line.refuse("the token has no such account; it has: " + _listed(found))
    if len(rows) > 1 and quiet:
        raise line.refuse("which account? --account-id, of: " + _listed(rows))
    if len(rows) == 1:
        return rows[0]
    number = int(typer.prompt(f"Which account ({_listed(rows)})", default=rows[0].id, err=True))
    return next((each for each in rows if each.id == number), rows[0])


def _choose_inbox(found: Sequence[Known]) -> int:
    """An inbox' id; 0 for a new one."""
    if not found:
        return 0
    listed = ", ".join(f"{each.id} {each.name}" for each in found)
    return int(typer.prompt(f"Which inbox ({listed}; 0 makes a new one)", default=0, err=True))


def _listed(found: Sequence[Owner]) -> str:
    return ", ".join(f"{each.id} {each.name}" for each in found) or "none"


def _write(line: CommandLine, name: str, made: Made, given: dict[str, str], locale: str) -> str:
    """The table as it was written."""
    file, secrets = line.config_file, [(f"chatwoot-{name}-{key}", value) for key, value in given.items() if value]
    kept = keep_secrets(file, secrets, reader=line.data_dir)
    inbox = made.inbox
    values: dict[str, Any] = {
        "url": inbox.url,
        "account_id": inbox.account_id,
        "inbox_id": inbox.inbox_id,
        **{key: kept[f"chatwoot-{name}-{key}"] for key, value in given.items() if value},
    }
    values |= {"accounts": list(inbox.accounts)} if inbox.accounts else {}
    values |= {"client": inbox.client} if inbox.client != "default" else {}
    values |= {"locale": locale} if locale != "en" else {}
    add_table(file, name, values)
    return table_text(name, values)


def _try(line: CommandLine, name: str, inbox: Inbox, locale: str) -> list[Finding]:
    async def heard() -> float | None:
        try:
            found = await trio.to_thread.run_sync(line.ask, "GET", "/plugins/chatwoot/inboxes")
        except WagateError:
            return None  # No gateway runs, or it has no such plugin yet.
        return next((float(row["last_webhook_at"]) for row in found["data"] if row["inbox"] == name), None)

    words = {"note": text(locale, "status.trial"), "name": text(locale, "status.contact")}
    return trio.run(partial(trial, line.http(), inbox, name=words["name"], note=words["note"], heard=heard))


def _tell(made: Made, written: str, name: str, tried: Sequence[Finding], *, runs: bool, as_json: bool) -> None:
    step = made.to_change or ('restart the gateway, then "wagate chatwoot test"' if runs else '"wagate serve"')
    if as_json:
        found = {"name": name, "inbox_id": made.inbox.inbox_id, "did": made.did, "webhook_url": made.webhook_url}
        _print_json(found | {"tried": [_json(each) for each in tried], "next_step": step})
        return
    typer.echo(f'{made.did}: inbox {made.inbox.inbox_id} "{printable(made.name)}" in Chatwoot', err=True)
    typer.echo(written)
    _print(tried)
    typer.echo(f"next: {step}", err=True)


def _print(found: Sequence[Finding]) -> None:
    for each in found:
        typer.echo(f"{SIGNS[each.level]}  {each.what}: {printable(each.detail)}")
        if each.next_step:
            typer.echo(f"      {each.next_step}")


def _json(each: Finding) -> dict[str, str]:
    return {"level": each.level, "what": each.what, "detail": each.detail, "next_step": each.next_step}


def _print_json(found: Any) -> None:
    typer.echo(json.dumps(found, indent=2))

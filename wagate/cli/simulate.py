"""``wagate simulate``: realistic provider webhooks for a running gateway, to try it without WhatsApp."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from wagate.cli import gateway, samples, show
from wagate.cli import options as call
from wagate.cli.errors import CommandError
from wagate.cli.samples import session_event
from wagate.cli.simulate_phone import phone

if TYPE_CHECKING:
    from wagate.cli.burst import Webhook

    Make = Callable[[str, str], Webhook]
    """(sender's digits, text) → the webhook."""

WITHOUT_A_FORM = frozenset({"session", "engine"})
"""Providers whose messages come in by the other two forms."""

app = typer.Typer(
    help="Post webhooks as an engine would, or act as a phone. They go to a running gateway; nothing goes to WhatsApp.",
    no_args_is_help=True,
)
app.command()(phone)


class Form(StrEnum):
    """Which webhook carries the message."""

    AUTO = "auto"
    SESSION = "session"
    ENGINE = "engine"


Account = Annotated[
    str, typer.Option(help="The account: the sessionId. An unknown account is created with provider `session`.")
]
FormOption = Annotated[
    Form,
    typer.Option(
        "--form",
        help="auto: a signed webhook of the account's provider; session: /api/whatsapp/webhook/{account}; "
        "engine: /webhook/inbound.",
    ),
]
Tenant = Annotated[str, typer.Option(help="With --form engine: the tenant that the message belongs to.")]
Rate = Annotated[
    float | None, typer.Option(min=0.1, help="Messages per second; default: as fast as the gateway accepts them.")
]


@app.command()
def message(
    context: typer.Context,
    *,
    text: Annotated[str, typer.Argument(help="What the customer writes.")] = "Hello, I need help with my order",
    account: Account = "demo",
    count: Annotated[int, typer.Option(min=1, help="How many messages.")] = 1,
    chats: Annotated[int, typer.Option(min=1, max=100_000, help="From how many customers.")] = 1,
    rate: Rate = None,
    form: FormOption = Form.AUTO,
    tenant: Tenant = "default",
) -> None:
    """Post text messages from made-up customers."""
    _burst(context, text, account=account, count=count, chats=chats, rate=rate, form=form, tenant=tenant)


@app.command()
def burst(
    context: typer.Context,
    *,
    account: Account = "demo",
    count: Annotated[int, typer.Option(min=1, help="How many messages.")] = 1000,
    chats: Annotated[int, typer.Option(min=1, max=100_000, help="From how many customers.")] = 50,
    rate: Rate = None,
    form: FormOption = Form.AUTO,
    tenant: Tenant = "default",
) -> None:
    """Post many messages at once. It measures intake and checks that each chat stays in order."""
    _burst(context, "message", account=account, count=count, chats=chats, rate=rate, form=form, tenant=tenant)


@app.command()
def qr(context: typer.Context, account: Account = "demo") -> None:
    """Post a QR code: the session then waits for its scan."""
    _post_event(context, account, "qr", samples.qr())


@app.command()
def ready(context: typer.Context, account: Account = "demo") -> None:
    """Report that the session is connected."""
    _post_event(context, account, "ready", {})


@app.command()
def disconnected(
    context: typer.Context,
    account: Account = "demo",
    reason: Annotated[str, typer.Option(help="The reason, as the engine would give it.")] = "LOGOUT",
) -> None:
    """Report that the session has lost its phone."""
    _post_event(context, account, "disconnected", {"reason": reason})


def _post_event(context: typer.Context, account: str, event: str, data: dict[str, object]) -> None:
    with gateway.required(call.of(context)) as running:
        running.ask("POST", _session_path(account), body=session_event(event, data))
    typer.echo(f"{event} of {account}: accepted")


def _session_path(account: str) -> str:
    return f"/api/whatsapp/webhook/{quote(account, safe='')}"


def _maker(current: call.Call, account: str, form: Form, tenant: str) -> Make:
    """What makes the webhook of one message."""
    if form is Form.ENGINE:
        return lambda sender, text: _json("/webhook/inbound", samples.inbound_message(sender, text, tenant=tenant))
    if form is Form.AUTO and (own := _of_provider(current, account)) is not None:
        return own
    path = _session_path(account)
    return lambda sender, text: _json(path, session_event("message", samples.session_message(sender, text)))


def _of_provider(current: call.Call, name: str) -> Make | None:
    """The webhook that the account's provider would post; None when sessions are what it has, or it is not known."""
    from wagate.cli.doctor_offline import find_account
    from wagate.hooks.providers import Simulation
    from wagate.testing.providers.simulated import simulated

    found = find_account(current.config, name)
    if found is None or found[0].name in WITHOUT_A_FORM:
        return None
    provider, account = found
    path = f"/webhooks/{quote(name, safe='')}"
    url = account.webhook_url or (current.url or gateway.HERE) + path

    def make(sender: str, text: str) -> Webhook:
        try:
            made = simulated(provider, account, Simulation(sender=sender, text=text, url=url))
        except ValueError as error:
            raise CommandError(f"account {name!r} would refuse every webhook: {error}") from error
        if made is None:
            raise CommandError(f"webhooks of provider {provider.name!r} can't be simulated; try --form engine")
        body, headers = made
        return path, body, {"Authorization": "", **headers}

    return make


def _json(path: str, document: dict[str, Any]) -> Webhook:
    return path, json.dumps(document).encode(), {"Content-Type": "application/json"}


def _burst(
    context: typer.Context,
    text: str,
    *,
    account: str,
    count: int,
    chats: int,
    rate: float | None,
    form: Form,
    tenant: str,
) -> None:
    import trio

    from wagate.cli.burst import Tally, post_all

    make = _maker(call.of(context), account, form, tenant)

    def webhook(place: int) -> Webhook:
        return make(samples.chat_number(place % chats), text if count == 1 else f"{text} {place + 1}")

    async def run() -> Tally:
        bar = iter(show.progress(range(count + 1), "posting"))
        next(bar)
        async with gateway.connect_async(call.of(context)) as client:
            work = [[webhook(place) for place in range(chat, count, chats)] for chat in range(min(chats, count))]
            return await post_all(client, work, rate=rate, tick=lambda: next(bar, None))

    tally = trio.run(run)
    speed = tally.accepted / tally.seconds if tally.seconds else 0
    typer.echo(
        f"{tally.accepted} accepted, {sum(tally.refused.values())} refused, in {tally.seconds:.2f} s "
        f"({speed:.0f}/s, slowest {tally.slowest_ms:.0f} ms)"
    )
    if tally.refused:
        raise CommandError("; ".join(f"{times} × {answer}" for answer, times in tally.refused.items()))

"""``wagate pair``: link a number of one's own, with the QR code in the terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.errors import CommandError

if TYPE_CHECKING:
    from wagate.cli.gateway import Gateway

PROVIDER: Final = "whatsapp"
STATUS: Final = "/api/whatsapp/session/status"
LOOK: Final = 1.0
"""Seconds between two looks."""
PATIENCE: Final = 600.0
ENDED: Final = frozenset({"auth_failure", "error"})


def pair(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The account; created if it does not exist.")],
    phone: Annotated[
        str | None, typer.Option(help="Link with a code that you type on the phone with this number.")
    ] = None,
    client: Annotated[str | None, typer.Option(help="The client that will own a new account, by slug.")] = None,
) -> None:
    """Link a WhatsApp number as a device. Scan the QR code that is shown, or type the code of --phone on the phone.

    Codes are renewed until one is scanned, for ten minutes. It needs the extra: pip install "wagate[whatsapp]".
    """
    from wagate.hooks.providers import UNOFFICIAL

    with gateway.required(call.of(context)) as running:
        _account(running, name, client)
        typer.echo(f"note: {UNOFFICIAL}\n", err=True)
        if phone is not None:
            answer = running.ask("POST", f"/api/whatsapp/session/{name}/pair-code", body={"phone": phone})
            typer.echo("On the phone: Settings, Linked devices, Link a device, Link with phone number instead.")
            typer.echo(f"code: {show.clean(answer['data']['code'])}")
        session = _until_linked(running, name, codes=phone is None)
    typer.echo(f"{name} is linked: {show.clean(session['message'] or session['status'])}")


def _account(running: Gateway, name: str, client: str | None) -> None:
    """Make the account, or see that it is there. CommandError: it is another provider's."""
    known = [each for each in running.rows("/api/accounts", {}) if each["name"] == name]
    if not known:
        body = {"name": name, "provider": PROVIDER} | ({"client": client} if client else {})
        running.ask("POST", "/api/accounts", body=body)
    elif known[0]["provider"] != PROVIDER:
        raise CommandError(f"{name} is an account of {known[0]['provider']}; choose another name")


def _until_linked(running: Gateway, name: str, *, codes: bool) -> dict[str, Any]:
    """Show each new code, until the session is connected. CommandError: it can't be, or nobody scanned."""
    shown, said, deadline, started = "", "", time.monotonic() + PATIENCE, False
    while time.monotonic() < deadline:
        session: dict[str, Any] = running.ask("GET", f"{STATUS}/{name}")["data"]
        if session["isConnected"]:
            return session
        if session["status"] in ENDED and started:
            raise CommandError(str(session["message"] or session["status"]))
        if session["status"] in {*ENDED, "session_not_connected"} and not started:
            running.ask("POST", f"/api/sessions/{name}/start")
            started = True
        code = session.get("qr") or ""
        if codes and code and code != shown:
            shown = code
            typer.echo(drawn(code))
            typer.echo("Scan it with the phone: Settings, Linked devices, Link a device.")
        elif not code and (message := show.clean(session["message"] or "")) != said:
            said = message
            typer.echo(f"{name}: {message}" if message else f"{name}: {session['status']}", err=True)
        time.sleep(LOOK)
    raise CommandError("no code was scanned for ten minutes; run the command again")


def drawn(code: str) -> str:
    """A QR code in half blocks, dark on light, for a terminal of any colours."""
    import io

    import segno

    text = io.StringIO()
    segno.make(code, error="l", micro=False).terminal(out=text, compact=True, border=2)
    return text.getvalue()

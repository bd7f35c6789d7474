"""``wagate import``: accounts and webhooks of WAHA or Evolution API, made here. Without ``--apply`` it only tells."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.errors import CommandError, UsageError
from wagate.cli.imports.carry_out import Import
from wagate.cli.imports.plan import Left, Plan, joined
from wagate.cli.imports.site import open_site, secret
from wagate.cli.options import Call, Json

app = typer.Typer(help="Import accounts and webhooks from another gateway.", no_args_is_help=True)

Key = Annotated[str, typer.Option(help="Its API key, or env:NAME for an environment variable.")]
Client = Annotated[str, typer.Option(help="The client that will own everything, by slug.")]
Apply = Annotated[bool, typer.Option("--apply", help="Make the changes; without it, nothing is changed.")]


@app.command("waha")
def import_waha(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="WAHA's compose file: YAML, or JSON.")] = None,
    *,
    url: Annotated[str, typer.Option(help="WAHA's address: its sessions are read from its API.")] = "",
    api_key: Key = "",
    service: Annotated[str, typer.Option(help="The name of WAHA's service, if the file has several.")] = "",
    engine: Annotated[
        Literal["waha", "whatsapp"],
        typer.Option(help="waha: keep WAHA behind wagate; whatsapp: link the numbers to wagate itself."),
    ] = "waha",
    hmac_key: Annotated[
        str, typer.Option(help="hmac.key of WAHA's webhook that leads to wagate, or env:NAME; default: WAHA's own.")
    ] = "",
    client: Client = "default",
    apply: Apply = False,
    as_json: Json = False,
) -> None:
    """Import WAHA's sessions and webhooks. They come from its compose file, its API, or both. WAHA is not changed."""
    from wagate.cli.imports.waha import Place

    if file is None and not url:
        raise UsageError("name WAHA's compose file, or its address with --url and its key with --api-key")
    key = secret(api_key, "--api-key")
    place = Place(
        engine=engine, base_url=url.rstrip("/"), api_key=key, hmac_key=secret(hmac_key, "--hmac-key"), client=client
    )
    plans = _waha(place, file, service, asks=bool(url))
    _carry_out(call.of(context), joined(plans), client=client, apply=apply, as_json=as_json)


def _waha(place: Any, file: Path | None, service: str, *, asks: bool) -> Sequence[Plan]:
    from wagate.cli.imports.waha import Session, of_session

    plans: list[Plan] = []
    names: Sequence[str] = ()
    if file is not None:
        from wagate.cli.imports.compose import read_service
        from wagate.cli.imports.waha_settings import read_environment

        given = read_environment(read_service(file, service), place.engine)
        names, plans = given.sessions, [given.plan]
        place = msgspec.structs.replace(
            place,
            base_url=place.base_url or given.base_url,
            api_key=place.api_key or given.api_key,
            hmac_key=place.hmac_key or given.hmac_key,
            ignore=given.ignore,
            proxy=given.proxy,
        )
        if given.hashed and not place.api_key and place.engine == "waha":
            raise CommandError(f"{file}: WAHA_API_KEY is only a hash: give the plain key with --api-key env:NAME")
    sessions = _sessions(place) if asks else [Session(name=name) for name in names]
    if not asks:
        why = "are not in the file; add --url and --api-key to read them from WAHA"
        plans.append(Plan(left=(Left(what="further sessions, and what was set by API", why=why),)))
    elif file is None:
        why = "is in WAHA's environment alone: give its compose file as well"
        plans.append(Plan(left=(Left(what="WHATSAPP_HOOK_URL, the webhook for all sessions", why=why),)))
    return [*plans, *(of_session(session, place) for session in sessions)]


def _sessions(place: Any) -> list[Any]:
    """All sessions, with their apps."""
    from wagate.cli.imports.waha import Session

    headers = {"X-Api-Key": place.api_key} if place.api_key else {}
    with open_site("WAHA", place.base_url, headers) as site:
        found = site.get("/api/sessions", list[Session], {"all": "true"})
        return [
            session
            if session.apps is not None
            else msgspec.structs.replace(
                session, apps=site.find("/api/apps", list[dict[str, Any]], {"session": session.name})
            )
            for session in found
        ]


@app.command("evolution")
def import_evolution(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Its compose file: YAML, or JSON.")] = None,
    *,
    url: Annotated[str, typer.Option(help="Its address, such as http://127.0.0.1:8080.")] = "",
    api_key: Key = "",
    service: Annotated[str, typer.Option(help="The name of its service, if the file has several.")] = "",
    client: Client = "default",
    apply: Apply = False,
    as_json: Json = False,
) -> None:
    """Import instances and webhooks of Evolution API 2. Its settings of Chatwoot become commands to run.

    Evolution API itself is not changed. Instances are asked of its API; a compose file says where that is, and
    brings the webhook for all instances.
    """
    from wagate.cli.imports.evolution import read_evolution

    if file is None and not url:
        raise UsageError("name Evolution API's compose file, or its address with --url and its key with --api-key")
    key, plans = secret(api_key, "--api-key"), []
    if file is not None:
        from wagate.cli.imports.compose import EVOLUTION, read_service
        from wagate.cli.imports.evolution_settings import read_environment

        given = read_environment(read_service(file, service, product=EVOLUTION))
        url, key, plans = url or given.url, key or given.api_key, [given.plan]
    else:
        why = "is in Evolution API's environment alone: give its compose file as well"
        plans = [Plan(left=(Left(what="WEBHOOK_GLOBAL_URL, the webhook for all instances", why=why),))]
    if not key:
        raise UsageError("--api-key is missing: AUTHENTICATION_API_KEY of Evolution API, as env:NAME")
    with open_site("Evolution API", url, {"apikey": key}) as site:
        plan = joined([*plans, *read_evolution(site, client)])
    _carry_out(call.of(context), plan, client=client, apply=apply, as_json=as_json)


def _carry_out(current: Call, plan: Plan, *, client: str, apply: bool, as_json: bool) -> None:
    with ExitStack() as stack:
        running = stack.enter_context((gateway.required if apply else gateway.connect)(current))
        here = (current.url or "", current.public_url)
        work = Import(plan, running, client=client, apply=apply, addresses=here)
        try:
            work.run()
        finally:
            _tell(work, as_json=as_json)
    failed = sum(step.act == "failed" for step in work.steps)
    if not as_json:
        _close(failed, apply=apply, runs=running is not None)
    if failed:
        raise typer.Exit(1)


def _tell(work: Import, *, as_json: bool) -> None:
    if as_json:
        show.emit_json({"steps": [msgspec.to_builtins(step) for step in work.steps], "todo": work.todo})
        return
    cells = [[step.act, step.what, step.why] for step in work.steps]
    show.table(
        ["", "what", "how, or why not"], cells, empty="there is nothing to import", wraps=["what", "how, or why not"]
    )
    if work.todo:
        typer.echo("\nFor you to do:")
    for number, line in enumerate(work.todo, 1):
        first, *more = (show.clean(each) for each in line.splitlines())
        typer.echo("\n".join([f"{number}. {first}", *(f"   {each}" for each in more)]))


def _close(failed: int, *, apply: bool, runs: bool) -> None:
    if failed:
        typer.echo(f"{failed} failed; what was created stays; run the same command again to create the rest", err=True)
    elif not apply:
        without = "" if runs else "; no gateway is running, so existing accounts could not be checked"
        typer.echo(f"nothing was changed{without}; use --apply to do it", err=True)

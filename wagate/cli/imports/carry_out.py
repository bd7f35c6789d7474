"""Compare a plan with the gateway, and make what is not there yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from wagate.cli.errors import CommandError, NoGatewayError
from wagate.cli.gateway import Gateway
from wagate.cli.imports.plan import EVERY, Account, Plan, Webhook, bare, toml_table

ACCOUNTS: Final = "/api/accounts"
WEBHOOKS: Final = "/api/webhooks"
VARIABLES: Final = {"api_key": "WAHA_API_KEY", "hmac_key": "WAHA_HMAC_KEY"}

Act = Literal["would make", "made", "is there", "left", "failed"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one thing."""

    act: Act
    what: str
    why: str


class Import:
    """Carries a plan out, one thing after the other; ``steps`` says at any time what was done."""

    def __init__(
        self, plan: Plan, running: Gateway | None, *, client: str, apply: bool, addresses: Sequence[str] = ()
    ) -> None:
        """``running`` None: there is no gateway, so nothing is there. ``client``: whose all of it will be, by slug.

        ``addresses`` of the gateway: what is posted there is no webhook to make.
        """
        self.plan = plan
        self.steps: list[Step] = []
        self.todo: list[str] = []
        self._left: list[Step] = []
        self._running = running
        self._client = client
        self._apply = apply
        self._own = tuple(f"{address.rstrip('/')}/webhooks/" for address in addresses if address)
        self._names: dict[str, str | None] = {EVERY: EVERY}
        """Account of the plan → its name here; None: it is not here."""
        self._variables: set[str] = set()
        """Of the environment, in tables for config.toml."""

    def run(self) -> None:
        """Do it. NoGatewayError: the gateway went away; what was done before is in ``steps``."""
        accounts = list(self._running.rows(ACCOUNTS, {})) if self._running else []
        for wanted in self.plan.accounts:
            self._account(wanted, accounts)
        hooks = self._listed()
        own = (*self._own, *(str(row["webhook_url"]) for row in accounts if row.get("webhook_url")))
        for hook in self.plan.webhooks:
            self._webhook(hook, hooks, own)
        self.steps += self._left
        self.steps += [Step(act="left", what=each.what, why=each.why) for each in self.plan.left]
        self.todo += self.plan.todo

    def _listed(self) -> list[dict[str, Any]]:
        if self._running is None:
            return []
        return list(self._running.rows(f"{WEBHOOKS}/list", {"tenant_id": self._client}))

    def _note(self, act: Act, what: str, why: str) -> None:
        self.steps.append(Step(act=act, what=what, why=why))

    def _account(self, wanted: Account, rows: list[dict[str, Any]]) -> None:
        what = f"account {wanted.name}"
        found = _same(wanted, rows)
        taken = next((row for row in rows if row["name"] == wanted.name), None)
        self._names[wanted.name] = None
        if found is not None and found["tenant_id"] == self._client:
            self._names[wanted.name] = str(found["name"])
            self._note("is there", what, f"as {found['name']}" if found["name"] != wanted.name else found["provider"])
            if not found["settings"].get("proxy"):
                self._leave_proxy(_as_it_is(wanted, found), what)
        elif taken is not None or found is not None:
            row = taken or found or {}
            why = f"{row['name']} of the client {row['tenant_id']} is another account ({row['provider']})"
            self._note("failed", what, f"{why}; delete it, or rename the session")
        elif not self._apply or self._running is None:
            self._names[wanted.name] = wanted.name
            self._note("would make", what, _shown(wanted))
            self._leave_proxy(wanted, what)
        else:
            self._make_account(self._running, wanted, what, rows)

    def _make_account(self, running: Gateway, wanted: Account, what: str, rows: list[dict[str, Any]]) -> None:
        body = {
            "name": wanted.name,
            "provider": wanted.provider,
            "client": self._client,
            "phone": wanted.phone,
            "settings": wanted.settings,
            "metadata": wanted.metadata,
            "ignore": wanted.ignore,
        }
        try:
            made = running.ask("POST", ACCOUNTS, body={key: value for key, value in body.items() if value is not None})
        except NoGatewayError:
            raise
        except CommandError as error:
            self._note("failed", what, str(error))
            if "settings.base_url" in str(error):
                secrets = {key: VARIABLES[key] for key in VARIABLES if key in wanted.settings}
                table = toml_table(wanted, secrets, client=self._client)
                self.todo.append(
                    f"addresses in config.toml are trusted: add this there, then run the import again\n{table}"
                )
            return
        rows.append({**made, "webhook_secret": None})
        self._names[wanted.name] = wanted.name
        self._note("made", what, _shown(wanted))
        self._leave_proxy(wanted, what)

    def _leave_proxy(self, wanted: Account, what: str) -> None:
        """Say what a person must do about it; a password in it is not shown."""
        if not wanted.proxy:
            return
        self._left.append(Step(act="left", what=f"{what}: proxy", why="it is trusted only in config.toml: see below"))
        hidden = "@" in wanted.proxy
        variable = self._variable("PROXY_" + re.sub("[^A-Z0-9]+", "_", wanted.name.upper())) if hidden else ""
        table = toml_table(wanted, {"proxy": variable} if hidden else {}, client=self._client)
        told = f", with {variable} set to {bare(wanted.proxy)} with its user and password" if hidden else ""
        self.todo.append(
            f"before you link {wanted.name}, add this to config.toml{told}, and restart wagate; else it connects "
            f"without its proxy\n{table}"
        )

    def _variable(self, name: str) -> str:
        """A name that no other account's secret has."""
        free = next(each for each in chain([name], (f"{name}_{n}" for n in count(2))) if each not in self._variables)
        self._variables.add(free)
        return free

    def _webhook(self, hook: Webhook, rows: list[dict[str, Any]], own: tuple[str, ...]) -> None:
        what = f"webhook {bare(hook.url)}"
        number = self._names.get(hook.account)
        if hook.url.startswith(own):
            self._note("left", what, "leads to this gateway: nothing to import")
        elif number is None:
            self._note("failed", what, f"needs the account {hook.account}: fix that, and run this again")
        elif any(row["phone_number"] == number and row["webhook_url"] == hook.url for row in rows):
            self._note("is there", what, _of(number))
        elif not self._apply or self._running is None:
            self._note("would make", what, _told(hook, number))
        else:
            self._make_webhook(self._running, hook, number, what, rows)

    def _make_webhook(
        self, running: Gateway, hook: Webhook, number: str, what: str, rows: list[dict[str, Any]]
    ) -> None:
        body = {
            "phone_number": number,
            "webhook_url": hook.url,
            "name": _free_name(number, rows),
            "events": list(hook.events),
            "format": hook.format,
            "max_retries": hook.max_retries,
            "headers": hook.headers or None,
            "secret": hook.secret,
            "tenant_id": self._client,
        }
        given = {key: value for key, value in body.items() if value is not None}
        try:
            made = running.ask("POST", f"{WEBHOOKS}/register", body=given)
            rows.append(made)
            if not hook.active:
                path = f"{WEBHOOKS}/{quote(made['id'], safe='')}/toggle"
                running.ask("POST", path, body={"is_active": False})
        except NoGatewayError:
            raise
        except CommandError as error:
            self._note("failed", what, f"{_of(number)}: {error}")
            return
        self._note("made", what, _told(hook, number))
        if hook.new_secret:
            self.todo.append(
                f"{bare(hook.url)} checks X-Webhook-Hmac, and its old key is not 16 to 128 characters without blanks: "
                f"give it the new one that POST /api/webhooks/{made['id']}/rotate-secret answers once"
            )


def _same(wanted: Account, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The account that reaches the same: by its name, else by WAHA's address and session."""
    alike = [row for row in rows if row["provider"] == wanted.provider]
    session = wanted.settings.get("session")
    if session is not None:
        alike = [row for row in alike if row["settings"].get("session", "default") == session]
    named = [row for row in alike if row["name"] == wanted.name]
    where = str(wanted.settings.get("base_url", "")).rstrip("/")
    reached = [row for row in alike if where and str(row["settings"].get("base_url", "")).rstrip("/") == where]
    return next(iter([*named, *reached]), None)


def _as_it_is(wanted: Account, found: Mapping[str, Any]) -> Account:
    """The account with what it has here: a table of config.toml replaces it, with all that was set since."""
    usual = {"weight": 1, "position": 0}
    share = {name: found[name] for name, value in usual.items() if found.get(name, value) != value}
    return msgspec.structs.replace(
        wanted,
        phone=found.get("phone") or wanted.phone,
        settings={name: value for name, value in found["settings"].items() if name != "proxy"} | share,
        metadata=found.get("metadata", wanted.metadata),
        ignore={name: on for name, on in found.get("ignore", wanted.ignore).items() if on},
    )


def _free_name(number: str, rows: Sequence[Mapping[str, Any]]) -> str:
    taken = {row["name"] for row in rows if row["phone_number"] == number}
    return next(name for name in _names() if name not in taken)


def _names() -> Iterator[str]:
    yield "imported"
    yield from (f"imported {count}" for count in range(2, 10_000))


def _shown(account: Account) -> str:
    parts = [account.provider, account.detail, f"number {account.phone}" if account.phone else ""]
    parts += [f"ignores {', '.join(sorted(account.ignore))}" if account.ignore else ""]
    return ", ".join(filter(None, parts))


def _of(number: str) -> str:
    return "for all numbers" if number == EVERY else f"for {number}"


def _told(hook: Webhook, number: str) -> str:
    parts = [f"{_of(number)}: {', '.join(hook.events)}", f"format {hook.format}"]
    parts += [f"headers {', '.join(sorted(hook.headers))}"] if hook.headers else []
    parts += [f"{hook.max_retries} attempts"] if hook.max_retries else []
    parts += ["the same key"] if hook.secret else ["a new key"] if hook.new_secret else []
    parts += [] if hook.active else ["turned off at first"]
    return "; ".join(parts)

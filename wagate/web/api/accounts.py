"""``/api/accounts``: numbers reached through a provider. A client's token makes and sees its own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType
from quart import Blueprint, Response

from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import ConflictError, UnprocessableError
from wagate.hooks.contracts import ClientView
from wagate.hooks.routes import acts_on, endpoint
from wagate.hooks.views import Page
from wagate.parsing.chats import USER, chat_key
from wagate.plugins.account_settings import check_sender
from wagate.storage.database import Database
from wagate.storage.owners.accounts import (
    AccountChange,
    ChangedMeanwhileError,
    NewAccount,
    create_account,
    delete_account,
    get_account,
    list_accounts,
    patch_account,
    writable_account,
)
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.rows import AccountRow
from wagate.web.access.identity import RequestAuth
from wagate.web.api.account_settings import AccountSettings
from wagate.web.api.lists import Cursor, Limit, page_of

NAME = r"^[A-Za-z0-9_@+:~-][A-Za-z0-9_.@+:~-]{0,99}$"
PHONE = r"^\+?[1-9](?:[ ().-]*[0-9]){4,14}$"
SECRET = r"^[!-~]{16,200}$"  # noqa: S105  (a pattern)
TRIES = 3
"""Of a change beside others."""
LARGEST_METADATA = 16 * 1024

Name = Annotated[str, msgspec.Meta(pattern=NAME, description="unique across all clients; the `sessionId`")]
Phone = Annotated[str, msgspec.Meta(pattern=PHONE, max_length=40, description="5 to 15 digits, as people write them")]
Secret = Annotated[str, msgspec.Meta(pattern=SECRET, description="the secret that protects the account's webhooks")]
Metadata = Annotated[dict[str, Any], msgspec.Meta(description="copied into webhooks; 16 KiB at most")]
Settings = Annotated[dict[str, Any], msgspec.Meta(description="the provider's own keys, as in config.toml")]
Weight = Annotated[int, msgspec.Meta(ge=0, le=1000, description="share of the messages that do not name an account")]
Position = Annotated[int, msgspec.Meta(ge=0, le=1000, description="failover order, lowest first")]


class Ignore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which kinds of chats are not taken in, but for the statuses of messages sent there through here."""

    groups: bool = False
    status: bool = False
    broadcast: bool = False
    channels: bool = False


class AccountBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account to create."""

    name: Name
    """Unique over all clients; the ``sessionId``."""
    provider: str
    """Through whom the number is reached."""
    client: str | None = None
    """With the admin token: whose it is, by slug or id; the client ``default`` when nothing is said."""
    tenant_id: str | None = None
    """The same as ``client``."""
    phone: Phone | None = None
    """Our number."""
    webhook_secret: Secret | None = None
    """Made when it is not given."""
    metadata: Metadata = {}
    ignore: Ignore = Ignore()
    settings: Settings = {}
    weight: Weight = 1
    position: Position = 0


class AccountPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an account; what is left out stays."""

    phone: Phone | UnsetType | None = UNSET
    """null: not known."""
    provider: str | UnsetType = UNSET
    """Another provider needs its own ``settings``."""
    webhook_secret: Secret | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    ignore: Ignore | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET
    """A key that is left out stays, null takes it away, a mask as answered keeps what is stored."""
    weight: Weight | UnsetType = UNSET
    position: Position | UnsetType = UNSET


class AccountAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An account and the state of its session."""

    name: str
    """The ``sessionId``."""
    client_id: int
    tenant_id: str
    """The owner's slug."""
    provider: str
    phone: str | None
    """Digits; null when not known."""
    metadata: dict[str, Any]
    ignore: dict[str, Any]
    settings: dict[str, Any]
    """The provider's own keys; secrets as ``••••1234``."""
    weight: int
    """Its share of its client's messages that name no account."""
    position: int
    """Its place in the order of fail-over."""
    webhook_url: str | None
    """Where the provider posts to; null without ``server.public_url``."""
    source: str
    """config (read-only here) or api."""
    status: str
    """The session's status word."""
    message: str | None
    """The session's status, for people."""
    created_at: datetime
    updated_at: datetime


class MadeAccount(AccountAnswer, frozen=True, kw_only=True):
    """An account just made."""

    webhook_secret: str
    """It is shown only once."""
    notice: str | None
    """What to know before it is used, such as the risk of a linked number; null when there is nothing."""


class AccountsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page, of whose."""

    limit: Limit = 50
    cursor: Cursor | None = None
    client: str | None = None
    """Only this client's, by slug or id."""
    tenant_id: str | None = None
    """The same as ``client``."""


def accounts_routes(
    auth: RequestAuth,
    database: Database,
    live: LiveDirectory,
    clock: Clock,
    settings: AccountSettings,
    *,
    vault: Vault,
    most: int,
) -> Blueprint:
    """Accounts. ``most`` is how many a client may have."""
    routes = Blueprint("accounts", __name__, url_prefix="/api/accounts")
    body_type = _with_providers(settings.providers.names)

    @routes.post("")
    @endpoint(body=body_type, answers={201: MadeAccount}, problems=(404, 409), act="add number")
    async def add(body: AccountBody) -> tuple[MadeAccount, int]:
        """Make an account. Its webhook secret is shown only once."""
        _check_name(body.name)
        owner = _owner(auth, body.client, body.tenant_id)
        secret = body.webhook_secret or secrets.token_urlsafe(32)
        provider = settings.providers.need(body.provider)
        settings.refuse_short(provider, body.settings)
        check_sender(provider, body.settings, digits(body.phone))
        new = NewAccount(
            name=body.name,
            client_id=owner.id,
            provider=body.provider,
            phone=digits(body.phone),
            settings=await settings.sealed(provider, body.settings, {}),
            webhook_secret=vault.encrypt(_checked_secret(secret)),
            metadata=_checked_metadata(body.metadata),
            ignore=msgspec.to_builtins(body.ignore),
            weight=body.weight,
            position=body.position,
        )
        row = await database.write(create_account, new, now=clock.now(), most=most)
        await live.reload()
        acts_on(row.name, owner=row.client_id, detail=row.provider)
        shown, notice = msgspec.structs.asdict(_answer(row, settings)), provider.notice or None
        return MadeAccount(**shown, webhook_secret=secret, notice=notice), 201

    @routes.get("")
    @endpoint(query=AccountsQuery, answers={200: Page[AccountAnswer]}, problems=(404, 409))
    async def index(query: AccountsQuery) -> Page[AccountAnswer]:
        """Accounts, oldest first: the token's own; of all clients with the admin token."""
        named = query.client is not None or query.tenant_id is not None
        owner = None if auth.identity().admin and not named else _owner(auth, query.client, query.tenant_id).id
        rows = await database.browse(list_accounts, client_id=owner)
        page, cursor = page_of(rows, lambda row: row.id, limit=query.limit, after=query.cursor)
        return Page(data=[_answer(row, settings) for row in page], next_cursor=cursor)

    _add_one_by_name(routes, auth, database, live, settings, clock=clock, vault=vault)
    return routes


def _add_one_by_name(
    routes: Blueprint,
    auth: RequestAuth,
    database: Database,
    live: LiveDirectory,
    settings: AccountSettings,
    *,
    clock: Clock,
    vault: Vault,
) -> None:
    @routes.get("/<name>")
    @endpoint(answers={200: AccountAnswer})
    async def show(name: str) -> AccountAnswer:
        """One account."""
        return _answer(await database.read(get_account, name, client_id=auth.identity().client_id), settings)

    @routes.patch("/<name>")
    @endpoint(body=AccountPatch, answers={200: AccountAnswer}, problems=(409,), act="change number")
    async def change(name: str, body: AccountPatch) -> AccountAnswer:
        """Change an account; one of config.toml is changed there."""
        owner = auth.identity().client_id
        row = await _changed(body, name, owner)
        await live.reload()
        acts_on(name, owner=row.client_id, detail=", ".join(msgspec.to_builtins(body)))
        return _answer(row, settings)

    async def _changed(body: AccountPatch, name: str, owner: int | None) -> AccountRow:
        """Settings are laid over those stored, which somebody else may change meanwhile: then once more."""
        for left in reversed(range(TRIES)):
            row = await database.read(writable_account, name, client_id=owner)
            change, before = await _change(body, row, settings, vault), row.settings
            try:
                return await database.write(
                    patch_account, name, change, now=clock.now(), client_id=owner, before=before
                )
            except ChangedMeanwhileError:
                if not left:
                    raise
        raise AssertionError("it returns or raises")

    @routes.delete("/<name>")
    @endpoint(answers={204: None}, problems=(409,), act="delete number")
    async def delete(name: str) -> Response:
        """Delete an account; its events and deliveries stay until retention."""
        row = await database.read(get_account, name, client_id=auth.identity().client_id)
        await database.write(delete_account, name, client_id=row.client_id)
        await live.reload()
        acts_on(name, owner=row.client_id, detail=row.provider)
        return Response(b"", status=204)


def digits(phone: str | None) -> str:
    """The number's digits: ``+44 (0)20 7946 0958`` → ``442079460958``; '' for None."""
    if phone is None:
        return ""
    if not re.fullmatch(PHONE, phone):
        raise UnprocessableError("a phone number has 5 to 15 digits", field="phone")
    local, _, domain = chat_key(phone).rpartition("@")
    return local if domain == USER else re.sub(r"\D", "", phone)


def _with_providers(providers: Sequence[str]) -> type[AccountBody]:
    """The body's type, whose schema names the providers that there are."""
    known = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(providers)})]
    made = msgspec.defstruct(
        "NewAccountBody",
        [("provider", known)],
        bases=(AccountBody,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        namespace={"__doc__": "The account to create."},
    )
    assert issubclass(made, AccountBody)
    return made


def _owner(auth: RequestAuth, client: str | None, tenant_id: str | None) -> ClientView:
    named = [auth.owner(each) for each in (client, tenant_id) if each is not None]
    if len({each.id for each in named}) > 1:
        raise ConflictError("client and tenant_id name different clients; send one of them", field="client")
    return named[0] if named else auth.owner(None)


async def _change(body: AccountPatch, row: AccountRow, settings: AccountSettings, vault: Vault) -> AccountChange:
    secret = body.webhook_secret
    _check_sender(body, row, settings)
    return AccountChange(
        provider=body.provider,
        phone=UNSET if body.phone is UNSET else digits(body.phone),
        settings=await _changed_settings(body, row, settings),
        webhook_secret=UNSET if secret is UNSET else vault.encrypt(_checked_secret(secret)),
        metadata=UNSET if body.metadata is UNSET else _checked_metadata(body.metadata),
        ignore=UNSET if body.ignore is UNSET else msgspec.to_builtins(body.ignore),
        weight=body.weight,
        position=body.position,
    )


def _check_sender(body: AccountPatch, row: AccountRow, settings: AccountSettings) -> None:
    """Of what takes the number away; an account that never had one may be changed all the same."""
    if body.phone is UNSET and body.settings is UNSET and body.provider is UNSET:
        return
    provider = settings.providers.need(row.provider if body.provider is UNSET else body.provider)
    stored = row.settings if provider.name == row.provider else ""
    changed = settings.changed({} if body.settings is UNSET else body.settings, stored)
    check_sender(provider, changed, row.phone if body.phone is UNSET else digits(body.phone))


async def _changed_settings(body: AccountPatch, row: AccountRow, settings: AccountSettings) -> str | UnsetType:
    """Another provider's settings begin anew."""
    name = row.provider if body.provider is UNSET else body.provider
    if name == row.provider and body.settings is UNSET:
        return UNSET
    stored = row.settings if name == row.provider else ""
    given = {} if body.settings is UNSET else body.settings
    provider, changed = settings.providers.need(name), settings.changed(given, stored)
    settings.refuse_short(provider, changed, stored)
    return await settings.sealed(provider, changed, settings.opened(stored))


def _check_name(name: str) -> None:
    # A pattern's $ lets a last line break through.
    if not re.fullmatch(NAME, name):
        raise UnprocessableError("a name has 1 to 100 letters, digits and _.@+:~-", field="name")


def _checked_secret(secret: str) -> str:
    if not re.fullmatch(SECRET, secret):
        raise UnprocessableError("a secret has 16 to 200 printable ASCII characters", field="webhook_secret")
    return secret


def _checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(msgspec.json.encode(metadata)) > LARGEST_METADATA:
        raise UnprocessableError("metadata is over 16 KiB", field="metadata")
    return metadata


def _answer(row: AccountRow, settings: AccountSettings) -> AccountAnswer:
    return AccountAnswer(
        name=row.name,
        client_id=row.client_id,
        tenant_id=row.tenant,
        provider=row.provider,
        phone=row.phone or None,
        metadata=row.metadata or {},
        ignore=row.ignore or {},
        settings=settings.shown(row.provider, row.settings),
        weight=row.weight,
        position=row.position,
        webhook_url=settings.providers.webhook_url(row.name) or None,
        source=row.source,
        status=row.status,
        message=row.message or None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )

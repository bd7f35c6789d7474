"""WAHA's keys: tokens of clients, for the admin token alone. A token sees all accounts of its client.

Source: WAHA's OpenAPI document, https://waha.devlike.pro/swagger/, ``ApiKeyRequest`` and ``ApiKeyDTO``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import peewee

from wagate.errors import UnprocessableError
from wagate.hooks.routes import acts_on, finish
from wagate.storage.owners.clients import add_token, find_token, list_tokens, revoke_token
from wagate.storage.owners.directory import Account
from wagate.storage.rows import TokenRow
from wagate.web.access.auth import token_hash
from wagate.web.api.clients import new_token
from wagate.web.waha.desk import Call, Desk, Row

MOST: Final = 1000
"""Keys that are listed, the newest."""
ACTIONS: Final = ("read", "send", "control", "setting", "app", "delete")


class KeyBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key; WAHA's n8n node sends null and '' for what nobody filled in."""

    session: str | None = None
    is_admin: bool | None = None
    is_active: bool | None = None
    actions: dict[str, Any] | None = None


async def _create(call: Call) -> Any:
    """UnprocessableError: no token of wagate's is such a key. ConflictError: the client has too many."""
    desk, body = call.desk, call.body
    desk.auth.admin()
    _check(body)
    if body.is_active is False:
        raise UnprocessableError("a token works as soon as it is made: make it when it is needed", field="isActive")
    account = _only_account(desk, body.session or "")
    token = new_token()

    def add(db: peewee.Database) -> TokenRow:
        name = f"waha {account.name}"[:100]
        now, most = desk.clock.now(), desk.most_tokens
        return add_token(db, client_id=account.client_id, digest=token_hash(token), name=name, now=now, most=most)

    row = await desk.database.write(add)
    await desk.live.reload()
    acts_on(account.tenant, owner=account.client_id, detail=f"{row.id} {row.name}")
    return _key(desk, row, token=token)


async def _list(call: Call) -> Any:
    call.desk.auth.admin()
    rows = await call.desk.database.browse(list_tokens, None, most=MOST)
    return [_key(call.desk, row) for row in rows]


async def _update(call: Call) -> Any:
    """NotFoundError: no such key. UnprocessableError: it can't be made so."""
    desk, body = call.desk, call.body
    desk.auth.admin()
    _check(body)
    row = await desk.database.read(find_token, call.parts["id"])
    if body.session and desk.account(body.session).client_id != row.client_id:
        raise UnprocessableError(
            "a token stays with its client: delete it, and make one for the other session", field="session"
        )
    if body.is_active is False:
        await _revoke(desk, row)
        return _key(desk, row) | {"isActive": False}
    if body.session:
        _only_account(desk, body.session)
    return _key(desk, row)


async def _delete(call: Call) -> Any:
    """NotFoundError."""
    call.desk.auth.admin()
    await _revoke(call.desk, await call.desk.database.read(find_token, call.parts["id"]))
    return None


async def _revoke(desk: Desk, row: TokenRow) -> None:
    finish()
    await desk.database.write(revoke_token, client_id=row.client_id, token_id=row.id)
    await desk.live.reload()
    client = desk.live.now.clients.get(row.client_id)
    acts_on(client.slug if client is not None else "", owner=row.client_id, detail=row.id, act="revoke token")


def _check(body: KeyBody) -> None:
    if body.is_admin:
        raise UnprocessableError(
            "the admin token is in the configuration (auth.admin_token): only clients' tokens are made here",
            field="isAdmin",
        )
    if body.actions is not None and not all(body.actions.get(each) is True for each in ACTIONS):
        raise UnprocessableError("wagate's tokens have no scopes: leave actions out", field="actions")


def _only_account(desk: Desk, session: str) -> Account:
    """The account that a key is to be for. NotFoundError; UnprocessableError: its token would see others, too."""
    if not session:
        raise UnprocessableError("name the session that the key is for", field="session")
    account = desk.account(session)
    others = [each.name for each in desk.live.now.by_client[account.client_id] if each is not account]
    if others:
        raise UnprocessableError(
            f"a token sees all sessions of its client, here also {', '.join(others)[:200]}: give {account.name} a "
            f"client of its own, or make a token for all of them: wagate client token {account.tenant}",
            field="session",
        )
    return account


def _key(desk: Desk, row: TokenRow, *, token: str = "") -> dict[str, Any]:
    """WAHA's ``ApiKeyDTO``. The token itself is not kept: its own answer alone shows it."""
    now = desk.live.now
    accounts, client = now.by_client.get(row.client_id, ()), now.clients.get(row.client_id)
    return {
        "id": row.id,
        "key": token,
        "isActive": True,
        "isAdmin": False,
        "session": accounts[0].name if len(accounts) == 1 else None,
        "actions": None,
        "_data": {"client": client.slug if client is not None else "", "name": row.name},
    }


KEYS = (
    Row(
        verb="POST /keys",
        doc="A token, which is shown only once.",
        handle=_create,
        body=KeyBody,
        status=201,
        sessionless=True,
        act="add token",
    ),
    Row(verb="GET /keys", doc="All tokens, without themselves.", handle=_list, sessionless=True),
    Row(verb="PUT /keys/{id}", doc="Revoke a token, or leave it.", handle=_update, body=KeyBody, sessionless=True),
    Row(verb="DELETE /keys/{id}", doc="Revoke a token.", handle=_delete, sessionless=True, act="revoke token"),
)

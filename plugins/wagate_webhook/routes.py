"""``/api/webhooks``: register, look, change, test, recover."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, UNSET
from quart import Blueprint

from wagate.errors import ConflictError, NotFoundError
from wagate.events import NewEvent
from wagate.events.kinds import WEBHOOK_TEST
from wagate.hooks import (
    DeliveryFilter,
    DeliveryView,
    Endpoint,
    EndpointChange,
    EndpointSecret,
    NewEndpoint,
    PluginContext,
    Target,
    acts_on,
    endpoint,
)
from wagate.http.signing import new_secret
from wagate_webhook.answers import (
    NewWebhookRow,
    Recovered,
    TestSent,
    WebhookEventList,
    WebhookEventRow,
    WebhookList,
    WebhookRequest,
    WebhookRow,
    event_row,
    events_of,
    list_of,
    new_row_of,
    request_of,
    row_of,
)
from wagate_webhook.bodies import (
    ChangeWebhook,
    EventsQuery,
    ListQuery,
    RecoverQuery,
    RegisterWebhook,
    RotateSecret,
    ToggleWebhook,
)
from wagate_webhook.checks import checked, checks_for, plain_only_for_waha, rotated, seconds_back
from wagate_webhook.options import Options, check_together, to_store

PREFIX = "/api/webhooks"
TEST_TEXT = "This is a test from wagate."


def make_routes(context: PluginContext) -> Blueprint:
    """All of ``/api/webhooks``."""
    blueprint = Blueprint(context.name, __name__, url_prefix=PREFIX)
    _add_rows(blueprint, context)
    _add_changes(blueprint, context)
    _add_secrets(blueprint, context)
    _add_events(blueprint, context)
    return blueprint


def _add_rows(blueprint: Blueprint, context: PluginContext) -> None:
    @blueprint.post("/register")
    @endpoint(answers={201: NewWebhookRow}, problems=(404, 409), body=RegisterWebhook, act="add webhook")
    async def register(body: RegisterWebhook) -> Any:
        """Register a URL for the events of a number. The secret is shown only once."""
        owner = context.auth.owner(body.tenant_id)
        values = await _check(context, _given(body), owner.id)
        chosen = values.pop("secret") or new_secret()
        del values["tenant_id"]
        given = _take_options(values)
        check_together(given, {})
        plain_only_for_waha([chosen], given.get("format") or "")
        options = {name: value for name, value in to_store(given, context.encrypt).items() if value is not None}
        new = NewEndpoint(
            **(values | {"max_retries": body.max_retries or context.max_retries}),
            client_id=owner.id,
            secrets=[EndpointSecret(secret=chosen)],
            options=options,
        )
        return new_row_of(_acted_on(context, await context.endpoints.create(new))), 201

    @blueprint.get("/list")
    @endpoint(answers={200: WebhookList}, problems=(404,), query=ListQuery)
    async def webhooks(query: ListQuery) -> Any:
        """Webhooks, newest first: the token's own; with the admin token all, or one client's."""
        page = await context.endpoints.page(
            client_id=_scope(context, query.tenant_id),
            limit=query.limit,
            cursor=query.cursor,
            phone_number=query.phone_number,
        )
        return list_of(page)

    @blueprint.get("/<uuid:webhook_id>")
    @endpoint(answers={200: WebhookRow}, problems=(404,))
    async def show(webhook_id: UUID) -> Any:
        """One webhook and its health."""
        return row_of(await _own(context, webhook_id))

    @blueprint.delete("/<uuid:webhook_id>")
    @endpoint(answers={204: None}, problems=(404,), act="delete webhook")
    async def delete(webhook_id: UUID) -> Any:
        """Delete a webhook, and cancel what waits for it."""
        await context.endpoints.delete(_acted_on(context, await _own(context, webhook_id)).id)
        return None, 204


def _add_changes(blueprint: Blueprint, context: PluginContext) -> None:
    @blueprint.patch("/<uuid:webhook_id>")
    @endpoint(answers={200: WebhookRow}, problems=(404, 409), body=ChangeWebhook, act="change webhook")
    async def change(webhook_id: UUID, body: msgspec.Struct) -> Any:
        """Change a webhook: omitted fields stay unchanged, null resets a field. Switching it on clears its failures."""
        found = await _own(context, webhook_id)
        values = await _check(context, _given(body), found.client_id)
        options = _take_options(values)
        check_together(options, found.options)
        if "format" in options:
            plain_only_for_waha([each.secret for each in found.secrets], options["format"] or "")
        values = {name: _default(context, name) if value is None else value for name, value in values.items()}
        if options:
            values["options"] = to_store(options, context.encrypt, found.options)
        return row_of(_acted_on(context, await context.endpoints.change(found.id, EndpointChange(**values))))

    @blueprint.post("/<uuid:webhook_id>/toggle")
    @endpoint(
        answers={200: WebhookRow}, problems=(404,), body=ToggleWebhook, body_optional=True, act="switch on or off"
    )
    async def toggle(webhook_id: UUID, body: ToggleWebhook) -> Any:
        """Switch a webhook off or on. What was routed before waits while it is off."""
        found = await _own(context, webhook_id)
        wanted = not found.is_active if body.is_active is None else body.is_active
        changed = await context.endpoints.change(found.id, EndpointChange(is_active=wanted))
        return row_of(_acted_on(context, changed, act="switch on" if wanted else "switch off"))


def _add_secrets(blueprint: Blueprint, context: PluginContext) -> None:
    @blueprint.post("/<uuid:webhook_id>/rotate-secret")
    @endpoint(answers={200: NewWebhookRow}, problems=(404,), body=RotateSecret, body_optional=True, act="new secret")
    async def rotate(webhook_id: UUID, body: RotateSecret) -> Any:
        """Make a new secret, shown only once. The old one signs too for 24 hours."""
        while True:
            found = await _own(context, webhook_id)
            values = await _check(context, _given(body), found.client_id)
            chosen = values.get("secret") or new_secret()
            plain_only_for_waha([chosen], found.options.get("format", ""))
            secrets = rotated(found.secrets, chosen, now=context.clock.now())
            change = EndpointChange(secrets=secrets, secrets_before=found.secrets)
            # A secret is shown once: of two that are made at the same moment both must sign.
            with suppress(ConflictError):
                return new_row_of(_acted_on(context, await context.endpoints.change(found.id, change)))


def _add_events(blueprint: Blueprint, context: PluginContext) -> None:
    @blueprint.get("/<uuid:webhook_id>/events")
    @endpoint(answers={200: WebhookEventList}, problems=(404,), query=EventsQuery)
    async def events(webhook_id: UUID, query: EventsQuery) -> Any:
        """A webhook's events, newest first, each with its attempts."""
        found = await _own(context, webhook_id)
        which = DeliveryFilter(handler=context.name, target=found.id, status=query.status, message_id=query.message_id)
        page = await context.deliveries.page(which, client_id=found.client_id, limit=query.limit, cursor=query.cursor)
        return events_of(page, found, context)

    @blueprint.get("/events/<event_id>/request")
    @endpoint(answers={200: WebhookRequest}, problems=(404,))
    async def sent(event_id: str) -> Any:
        """The request of an event's delivery, rebuilt: URL, headers without secrets, and the body."""
        return request_of(*await _delivery(context, event_id), context)

    @blueprint.post("/events/<event_id>/retry")
    @endpoint(answers={200: WebhookEventRow}, problems=(404, 409), act="retry")
    async def retry(event_id: str) -> Any:
        """Deliver an event again: now when it waits, at the end of its chat when it was final."""
        delivery, found = await _delivery(context, event_id)
        again = await context.deliveries.retry(delivery.id, client_id=found.client_id)
        acts_on(again.id, owner=found.client_id)
        return event_row(again, found, context)

    @blueprint.post("/<uuid:webhook_id>/test")
    @endpoint(answers={202: TestSent}, problems=(404, 409), act="test webhook")
    async def test(webhook_id: UUID) -> Any:
        """Send a ``webhook.test`` event to this webhook alone."""
        found = await _own(context, webhook_id)
        if not found.is_active:
            raise ConflictError("the webhook is switched off; switch it on first (POST …/toggle)")
        return await _send_test(context, _acted_on(context, found), context.clock.now()), 202

    @blueprint.post("/<uuid:webhook_id>/recover")
    @endpoint(answers={202: Recovered}, problems=(404,), query=RecoverQuery, act="recover")
    async def recover(webhook_id: UUID, query: RecoverQuery) -> Any:
        """Replay, in order, what failed permanently since a time."""
        found = await _own(context, webhook_id)
        seconds = seconds_back(query.since, now=context.clock.now())
        count = await context.endpoints.recover(found.id, since=seconds)
        acts_on(f"{context.name}:{found.id}", owner=found.client_id, detail=f"{count} of the last {seconds:g} s")
        return Recovered(webhook_id=found.id, recovered=count), 202


async def _send_test(context: PluginContext, found: Endpoint, now: datetime) -> TestSent:
    event = NewEvent(kind=WEBHOOK_TEST, type="test", content=TEST_TEXT, timestamp=now)
    target = Target(id=found.id, max_retries=found.max_retries)
    event_id = await context.emit(event, client_id=found.client_id, only=[target])
    delivery = await context.deliveries.get(event_id, client_id=found.client_id)
    return TestSent(status="accepted", event_id=delivery.id, source_event_id=event_id)


def _acted_on(context: PluginContext, webhook: Endpoint, act: str = "") -> Endpoint:
    """Note for the audit whose webhook it is."""
    name = webhook.name or webhook.webhook_url
    acts_on(f"{context.name}:{webhook.id}", owner=webhook.client_id, detail=name, act=act)
    return webhook


async def _own(context: PluginContext, webhook_id: UUID | str) -> Endpoint:
    """The webhook, when the asking token may see it. NotFoundError."""
    found = await context.endpoints.get(str(webhook_id))
    if not context.auth.may_see(found.client_id):
        raise NotFoundError("no such webhook")
    return found


async def _delivery(context: PluginContext, event_id: str) -> tuple[DeliveryView, Endpoint]:
    """A delivery of ours that the asking token may see, and its webhook. NotFoundError."""
    delivery = await context.deliveries.get(event_id, client_id=_scope(context, None))
    if delivery.handler != context.name:
        raise NotFoundError("no such event")
    return delivery, await _own(context, delivery.target)


def _scope(context: PluginContext, tenant: str | None) -> int | None:
    """Whose rows a list shows; None: everyone's, for the admin."""
    if tenant is None and context.auth.identity().admin:
        return None
    return context.auth.owner(tenant).id


def _given(body: msgspec.Struct) -> dict[str, Any]:
    """Fields that the caller set; an optional one left out counts as not set."""
    return {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}


async def _check(context: PluginContext, fields: dict[str, Any], client_id: int) -> dict[str, Any]:
    def is_account(name: str) -> bool:
        account = context.accounts.get(name)
        return account is not None and account.client_id == client_id

    return await checked(fields, checks_for(is_account), context.http.check)


def _take_options(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values.pop(name) for name in Options.__struct_fields__ if name in values}


def _default(context: PluginContext, name: str) -> Any:
    """What a field is when a registration leaves it out."""
    if name == "max_retries":
        return context.max_retries
    field = next(each for each in msgspec.structs.fields(RegisterWebhook) if each.name == name)
    return field.default if field.default_factory is NODEFAULT else field.default_factory()

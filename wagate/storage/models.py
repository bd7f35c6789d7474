"""The tables, for queries.

Columns, constraints and indexes are made by the migrations. No model is bound to a database: every query names the one
it runs on (``query.execute(db)``).
"""
# ruff: noqa: D106  (peewee reads a table's name from its Meta)

from __future__ import annotations

import peewee

from wagate.storage.fields import JsonColumn, TextColumn, TimeColumn


class Table(peewee.Model):
    """Base of all tables."""

    class Meta:
        legacy_table_names = False


class Client(Table):
    """An owner of numbers, webhooks and jobs."""

    id = peewee.AutoField()
    slug = TextColumn()
    name = TextColumn()
    created_at = TimeColumn()
    updated_at = TimeColumn()

    class Meta:
        table_name = "clients"


class Token(Table):
    """A client's token, as its SHA-256 in hex."""

    id = TextColumn(primary_key=True)
    client_id = peewee.IntegerField()
    hash = TextColumn()
    name = TextColumn()
    created_at = TimeColumn()
    last_used_at = TimeColumn(null=True)

    class Meta:
        table_name = "tokens"


class Account(Table):
    """One WhatsApp number reached through one provider, with its session state."""

    id = TextColumn(primary_key=True)
    name = TextColumn()
    client_id = peewee.IntegerField()
    provider = TextColumn()
    phone = TextColumn()
    settings = TextColumn()
    webhook_secret = TextColumn()
    metadata = JsonColumn()
    ignore = JsonColumn()
    source = TextColumn()
    status = TextColumn()
    message = TextColumn()
    qr = TextColumn(null=True)
    qr_at = TimeColumn(null=True)
    percent = peewee.IntegerField(null=True)
    ever_connected = peewee.BooleanField()
    created_at = TimeColumn()
    updated_at = TimeColumn()
    weight = peewee.IntegerField()
    position = peewee.IntegerField()
    last_in_at = TimeColumn(null=True)
    last_out_at = TimeColumn(null=True)

    class Meta:
        table_name = "accounts"


class Webhook(Table):
    """A place registered for events, of the connector ``webhook`` or another."""

    id = TextColumn(primary_key=True)
    connector = TextColumn()
    client_id = peewee.IntegerField()
    phone_number = TextColumn()
    name = TextColumn()
    webhook_url = TextColumn()
    is_active = peewee.BooleanField()
    max_retries = peewee.IntegerField()
    events = JsonColumn()
    secrets = TextColumn()
    metadata = JsonColumn()
    created_at = TimeColumn()
    updated_at = TimeColumn()
    options = JsonColumn()

    class Meta:
        table_name = "webhooks"


class Target(Table):
    """Health of one target, ``<handler>:<target>``."""

    id = TextColumn(primary_key=True)
    handler = TextColumn()
    client_id = peewee.IntegerField(null=True)
    status = TextColumn()
    failure_count = peewee.IntegerField()
    streak = peewee.IntegerField()
    streak_since = TimeColumn(null=True)
    failing_since = TimeColumn(null=True)
    down_since = TimeColumn(null=True)
    next_probe_at = TimeColumn(null=True)
    probes = peewee.IntegerField()
    last_success_at = TimeColumn(null=True)
    last_attempt_at = TimeColumn(null=True)
    last_error = TextColumn(null=True)
    alerted = peewee.IntegerField()
    updated_at = TimeColumn()
    probed_by = TextColumn(null=True)
    paused_at = TimeColumn(null=True)
    paused_by = TextColumn(null=True)
    resumed_at = TimeColumn(null=True)

    class Meta:
        table_name = "targets"


class EventRow(Table):
    """A stored event; `wagate.storage.rows.to_event` makes an Event of it."""

    id = TextColumn(primary_key=True)
    client_id = peewee.IntegerField()
    account = TextColumn()
    phone = TextColumn()
    provider = TextColumn()
    kind = TextColumn()
    chat = TextColumn()
    sender = TextColumn()
    recipient = TextColumn()
    message_id = TextColumn()
    type = TextColumn()
    content = TextColumn()
    from_me = peewee.BooleanField()
    contact_name = TextColumn(null=True)
    media = JsonColumn(null=True)
    reply_to = TextColumn(null=True)
    extra = JsonColumn()
    metadata = JsonColumn()
    body = peewee.BlobField(column_name="raw")
    timestamp = TimeColumn()
    created_at = TimeColumn()
    unrouted = peewee.BooleanField()
    account_id = TextColumn()
    bare_id = TextColumn()

    class Meta:
        table_name = "events"


class Dedupe(Table):
    """The first event with a key; later ones are duplicates."""

    key = TextColumn(primary_key=True)
    event_id = TextColumn()
    job_id = TextColumn()
    created_at = TimeColumn()

    class Meta:
        table_name = "dedupe"


class Lane(Table):
    """The last ``seq`` given out for an order key (one chat of one target)."""

    key = TextColumn(primary_key=True)
    seq = peewee.BigIntegerField()

    class Meta:
        table_name = "lanes"


class Later(Table):
    """Deliveries of an event that are still to be stored."""

    number = peewee.AutoField()
    event_id = TextColumn()
    lane = TextColumn()
    deliveries = peewee.BlobField()

    class Meta:
        table_name = "later"


class Delivery(Table):
    """One event for one target."""

    id = TextColumn(primary_key=True)
    event_id = TextColumn()
    handler = TextColumn()
    target_id = TextColumn()
    key = TextColumn()
    seq = peewee.BigIntegerField()
    client_id = peewee.IntegerField()
    account = TextColumn()
    chat = TextColumn()
    mode = TextColumn()
    status = TextColumn()
    settled = peewee.BooleanField()
    held = peewee.BooleanField()
    attempt_count = peewee.IntegerField()
    max_retries = peewee.IntegerField()
    http_status = peewee.IntegerField(null=True)
    response = TextColumn(null=True)
    error = TextColumn(null=True)
    first_attempt_at = TimeColumn(null=True)
    next_retry_at = TimeColumn(null=True)
    created_at = TimeColumn()
    delivered_at = TimeColumn(null=True)
    updated_at = TimeColumn()
    lease_id = TextColumn(null=True)
    lease_until = TimeColumn(null=True)
    started_at = TimeColumn(null=True)
    result = JsonColumn(null=True)
    expires_at = TimeColumn(null=True)
    earlier = peewee.IntegerField()
    stuck = peewee.BooleanField()
    claimed_by = TextColumn(null=True)
    claimed_until = TimeColumn(null=True)

    class Meta:
        table_name = "deliveries"


class Attempt(Table):
    """One try of a delivery."""

    id = peewee.BigAutoField()
    delivery_id = TextColumn()
    number = peewee.IntegerField()
    started_at = TimeColumn()
    duration_ms = peewee.IntegerField()
    http_status = peewee.IntegerField(null=True)
    error = TextColumn(null=True)
    response = TextColumn(null=True)

    class Meta:
        table_name = "attempts"


class Chat(Table):
    """One chat of an account: how much was said in it, and when last."""

    client_id = peewee.IntegerField()
    account = TextColumn()
    chat = TextColumn()
    name = TextColumn()
    messages = peewee.IntegerField()
    last_event_id = TextColumn()
    last_at = TimeColumn()
    created_at = TimeColumn()
    members = peewee.IntegerField()
    archived = peewee.BooleanField()
    unread = peewee.IntegerField()
    answered = TextColumn()
    cleared_to = TextColumn()
    cleared = peewee.IntegerField()
    deleted = peewee.BooleanField()

    class Meta:
        table_name = "chats"
        primary_key = peewee.CompositeKey("client_id", "chat", "account")


class Message(Table):
    """A message that was submitted, and how far it got."""

    id = TextColumn(primary_key=True)
    client_id = peewee.IntegerField()
    account = TextColumn()
    provider = TextColumn()
    chat = TextColumn()
    type = TextColumn()
    content = TextColumn()
    message = JsonColumn()
    status = TextColumn()
    provider_id = TextColumn()
    event_id = TextColumn()
    delivery_id = TextColumn()
    source = TextColumn()
    source_key = TextColumn(null=True)
    job_id = TextColumn(null=True)
    metadata = JsonColumn()
    warnings = JsonColumn()
    attempts = peewee.IntegerField()
    error = TextColumn(null=True)
    error_code = TextColumn(null=True)
    outside_window = peewee.BooleanField()
    told = peewee.BooleanField()
    created_at = TimeColumn()
    sending_at = TimeColumn(null=True)
    sent_at = TimeColumn(null=True)
    delivered_at = TimeColumn(null=True)
    read_at = TimeColumn(null=True)
    failed_at = TimeColumn(null=True)
    updated_at = TimeColumn()
    account_id = TextColumn()
    bare_id = TextColumn()

    class Meta:
        table_name = "messages"


class IdempotencyKey(Table):
    """The answer to a request made with an Idempotency-Key; ``client`` says whose key it is."""

    client = TextColumn()
    key = TextColumn()
    body_hash = TextColumn()
    status = peewee.IntegerField(null=True)
    content_type = TextColumn(null=True)
    body = peewee.BlobField(null=True)
    created_at = TimeColumn()
    done = peewee.BooleanField()

    class Meta:
        table_name = "idempotency"
        primary_key = peewee.CompositeKey("client", "key")


class PluginRecord(Table):
    """A plugin's own key-value row."""

    plugin = TextColumn()
    key = TextColumn()
    value = JsonColumn()
    updated_at = TimeColumn()

    class Meta:
        table_name = "plugin_records"
        primary_key = peewee.CompositeKey("plugin", "key")


class Media(Table):
    """A file that came with a message, or one to send."""

    id = TextColumn(primary_key=True)
    client_id = peewee.IntegerField()
    account = TextColumn()
    direction = TextColumn()
    status = TextColumn()
    sha256 = TextColumn()
    mimetype = TextColumn()
    filename = TextColumn()
    size = peewee.BigIntegerField(null=True)
    attempts = peewee.IntegerField()
    error = TextColumn(null=True)
    next_at = TimeColumn(null=True)
    created_at = TimeColumn()
    updated_at = TimeColumn()
    account_id = TextColumn()
    followers = TextColumn(default="")

    class Meta:
        table_name = "media"


class Revision(Table):
    """One row, counted up whenever clients, tokens, accounts, webhooks or a target's status change."""

    id = peewee.IntegerField(primary_key=True)
    value = peewee.BigIntegerField()

    class Meta:
        table_name = "revision"

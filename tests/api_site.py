"""The API on a real socket, with doors, database and clock, but no queue and no consumers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import hypercorn
import msgspec
import trio
from cryptography.fernet import Fernet
from quart import Blueprint

from tests.fake_messages import FakeMessages
from wagate.clock import Clock
from wagate.config.tables import Config, Data, Limits, Media, Server
from wagate.config.vault import Vault
from wagate.context.deliveries import DeliveryLog
from wagate.context.targets import TargetDesk
from wagate.hooks import Provider
from wagate.http import HttpClient
from wagate.inbound.accounts import Accounts
from wagate.inbound.ignore import IgnoreFilter
from wagate.inbound.numbers import Numbers
from wagate.inbound.people import People
from wagate.inbound.position import Positions
from wagate.inbound.receive import Receiver
from wagate.inbound.route import Router
from wagate.media.assemble import make_media
from wagate.metrics import CollectorRegistry
from wagate.plugins.registry import Providers
from wagate.storage.database import Database, open_database
from wagate.storage.deliveries.by_hand import Round, cancel, run_again
from wagate.storage.owners.clients import add_client, add_token, ensure_default_client, list_clients
from wagate.storage.owners.live import LiveDirectory
from wagate.testing.database import put_database
from wagate.web.access.admission import Admission
from wagate.web.access.auth import Authenticator, token_hash
from wagate.web.access.cors import Cors
from wagate.web.access.identity import RequestAuth, ViewTokens
from wagate.web.access.rate_limit import RateLimit
from wagate.web.api.targets import targets_routes
from wagate.web.app import Api, create_api
from wagate.web.health import HealthMonitor, Probe
from wagate.web.http.bodies import Bodies, LargeBodies
from wagate.web.http.server import serve_http
from wagate.web.inbound.engine_door import EngineDoor
from wagate.web.inbound.intake import DoorAt, IntakeApp, OwnDeliveries
from wagate.web.inbound.provider_door import PATTERN, ProviderDoor
from wagate.web.inbound.refusals import Refusals
from wagate.web.inbound.session_door import SessionDoor
from wagate.web.media.media_door import MediaDoor
from wagate.web.messages.sending import SendingContext
from wagate.web.sessions.hub import SessionHub
from wagate.web.waha.listeners import Listeners

ADMIN = "admin-token-for-tests"
KEY = Fernet.generate_key().decode()  # a passphrase takes a while to become a key
ACME, OTHER = "acme-token-for-tests", "other-token-for-tests"


class TableControl:
    """`wagate.consumers.control.Control` as far as the tables go."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def retry(self, delivery_id: str, *, client_id: int | None) -> None:
        round_ = Round(max_retries=3, recover=3600, now=self._clock.now())
        await self._database.write(run_again, delivery_id, round_, client_id=client_id)

    async def cancel(self, delivery_id: str, *, client_id: int | None) -> None:
        await self._database.write(cancel, delivery_id, client_id=client_id, now=self._clock.now())


@dataclass
class ApiSite:
    """What a test talks to, and what it looks into."""

    url: str
    api: Api
    database: Database
    live: LiveDirectory
    hub: SessionHub
    listeners: Listeners
    clock: Clock
    receiver: Receiver
    asked_to_stop: trio.Event

    def as_(self, token: str | None, **headers: str) -> httpx2.AsyncClient:
        """A client with this token."""
        given = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(base_url=self.url, headers=given | headers, timeout=60, trust_env=False, verify=False)


@asynccontextmanager
async def api_site(
    folder: Path,
    *,
    limits: Limits | None = None,
    server: Server | None = None,
    media_config: Media | None = None,
    probes: Mapping[str, Probe] | None = None,
    plugins: Sequence[tuple[str, Blueprint]] = (),
    provided: Sequence[Provider] = (),
    outbound: SendingContext | None = None,
    ping: float | None = None,
) -> AsyncIterator[ApiSite]:
    """Serve it, with the clients ``acme`` and ``other``."""
    clock = Clock()
    config = Config(limits=limits or Limits(), server=server or Server(), media=media_config or Media())
    vault = Vault([KEY], clock)
    providers = Providers(public_url=config.server.public_url)
    providers.add(provided)
    put_database(folder)
    async with open_database("", folder) as database, trio.open_nursery() as nursery:
        await database.write(_owners, clock)
        live = LiveDirectory(database, vault.decrypt)
        await live.reload()
        hub, listeners = SessionHub(database, clock), Listeners(database, clock, most=config.limits.streams)
        tokens = ViewTokens(vault, live)
        rate = config.limits.auth
        auth = Authenticator(
            ADMIN,
            lambda: live.now,
            view_account=tokens.account,
            failures=RateLimit(clock, count=rate.count, period=rate.seconds),
            used=lambda _digest: None,
        )
        control: Any = TableControl(database, clock)
        receiver = Receiver(
            database,
            Router({}, max_retries=3),
            clock,
            ring=_nobody,
            session_changed=hub.changed,
            recognize=People(database, providers, clock).recognize,
        )
        targets, asked_to_stop = TargetDesk(database, control, live, {}, clock), trio.Event()
        api = create_api(
            config=config,
            clock=clock,
            database=database,
            live=live,
            providers=providers,
            vault=vault,
            auth=auth,
            tokens=tokens,
            deliveries=DeliveryLog(database, control),
            receiver=receiver,
            hub=hub,
            listeners=listeners,
            health=HealthMonitor(database, folder, clock, probes or {}, queue_size=lambda: 0),
            registry=CollectorRegistry(),
            check_url=HttpClient().check,
            stop=asked_to_stop.set,
            outbound=outbound or FakeMessages().outbound,
            plugins=[("wagate", targets_routes(RequestAuth(live), targets)), *plugins],
        )
        media = make_media(
            msgspec.structs.replace(config, data=Data(dir=folder)),
            clock,
            vault=vault,
            database=database,
            live=live,
            http=HttpClient(),
            providers=providers,
            routes=lambda *_: (),
            ring=lambda _stored: None,
        )
        accounts = Accounts(database, live, clock, most=config.limits.accounts)
        unlimited = RateLimit(clock, count=0, period=1)
        own = OwnDeliveries(database)
        engine = EngineDoor(auth, accounts, receiver, Positions(database, clock), unlimited, own=own)
        refusals = Refusals(clock, lambda *_: None, database=database, accounts=lambda: live.now.accounts)
        numbers = Numbers(lambda: live.now, providers)
        sessions = SessionDoor(
            auth,
            accounts,
            receiver,
            IgnoreFilter(database),
            unlimited,
            database=database,
            numbers=numbers,
            refusals=refusals,
            own=own,
            media=media.store,
        )
        posted = ProviderDoor(
            lambda: live.now,
            providers,
            receiver,
            IgnoreFilter(database),
            unlimited,
            auth=auth,
            sessions=sessions,
            numbers=numbers,
            public_url=config.server.public_url,
            refusals=refusals,
            own=own,
        )
        bodies = Bodies(int(config.limits.body_bytes))
        app = IntakeApp(
            (
                DoorAt(frozenset({"POST"}), re.compile("/webhook/inbound"), engine),
                DoorAt(
                    frozenset({"GET", "HEAD", "POST"}),
                    re.compile("/api/whatsapp/webhook/[^/]+"),
                    sessions,
                    sessions.may_be_large,
                ),
                DoorAt(frozenset({"GET", "HEAD", "POST"}), re.compile(PATTERN), posted, sessions.may_be_large),
            ),
            MediaDoor(
                Admission(api, auth, bodies, config),
                media.store,
                auth,
                live,
                uploads=unlimited,
                cors=Cors(config.server.cors_origins),
                trusted_proxies=(),
                count=lambda *_: None,
            ),
            bodies=bodies,
            large=LargeBodies(
                media.files,
                max_file=int(config.media.max_size),
                max_body=int(config.server.max_body),
                reserve=int(config.limits.reserve),
            ),
            max_body=int(config.server.max_body),
            trusted_proxies=(),
            count=lambda *_: None,
        )
        made = hypercorn.Config()
        made.bind = ["127.0.0.1:0"]
        made.graceful_timeout = 2
        made.websocket_ping_interval = ping
        stop = trio.Event()
        nursery.start_soon(hub.run)
        nursery.start_soon(listeners.run)

        async def serve(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
            await serve_http(app, made, shutdown_trigger=stop.wait, task_status=task_status)  # type: ignore[arg-type]

        async with trio.open_nursery() as serving:
            [(host, port)] = await serving.start(serve)
            yield ApiSite(f"http://{host}:{port}", api, database, live, hub, listeners, clock, receiver, asked_to_stop)
            hub.close()
            listeners.close()
            stop.set()
        nursery.cancel_scope.cancel()


def _nobody(_stored: Any) -> None:
    """No consumers to ring."""


def _owners(db: Any, clock: Clock) -> None:
    ensure_default_client(db, now=clock.now())
    known = {client.slug for client in list_clients(db)}
    for slug, token in (("acme", ACME), ("other", OTHER)):
        if slug in known:
            continue
        row = add_client(db, slug=slug, name=slug, now=clock.now())
        add_token(db, client_id=row.id, digest=token_hash(token), name="test", now=clock.now())

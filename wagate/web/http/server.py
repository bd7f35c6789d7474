"""Serve an ASGI application: hypercorn on trio, with cheaper connections and a unix socket beside TCP."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio
from hypercorn.config import Config, Sockets
from hypercorn.trio.lifespan import Lifespan
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState, LifespanState
from hypercorn.utils import wrap_app

from wagate.errors import ConfigError
from wagate.web.http.accept import Gate, Listener, Stream
from wagate.web.http.connection import Connection, ServerContext

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""

MOST_CONNECTIONS = 10_000
"""Of one server, unless it says otherwise."""


async def serve_http(
    app: ASGIFramework,
    config: Config,
    *,
    shutdown_trigger: Callable[[], Awaitable[None]],
    unix_path: Path | None = None,
    sockets: Sockets | None = None,
    most: int = MOST_CONNECTIONS,
    task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` until ``shutdown_trigger`` returns and the requests that run then are done.

    Listens where ``config`` says (``bind``, ``insecure_bind``; TLS with ``certfile`` and ``keyfile``) or on bound
    ``sockets``, and on ``unix_path`` in plain HTTP, for the process's own user only. Reports the addresses in that
    order, with the real port where 0 was asked for. At the end it stops accepting, closes idle connections at once,
    answers running requests with ``Connection: close`` (what was sent behind them on the same connection is dropped),
    gives them ``config.graceful_timeout`` seconds, then cuts. ``config.read_timeout`` (30 s
    when not set) is how long a request's body may pause. Of more than ``most`` connections the one that has been idle
    for longest makes room. QUIC, statsd, workers and max_requests have no effect.

    Raises:
        ConfigError: an address can't be bound, or certificate and key can't be used.
    """
    wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")
    state: LifespanState = {}
    lifespan = Lifespan(wrapped, config, state)
    context = ServerContext()
    async with trio.open_nursery() as background:
        background.start_soon(context.flush_unfinished)
        await background.start(lifespan.handle_lifespan)
        await lifespan.wait_for_startup()
        listeners = _listen(config, sockets, unix_path)
        connect = partial(_connect, wrapped, config, context, ConnectionState(state.copy()))
        gate = Gate(most, context.evict)
        async with trio.open_nursery() as connections:
            try:
                async with trio.open_nursery() as accepting:
                    for listener in listeners:
                        accepting.start_soon(gate.accept, listener, connect, connections)
                    task_status.started([_address(listener) for listener in listeners])
                    await shutdown_trigger()
                    accepting.cancel_scope.cancel()
            finally:  # When cancelled, too: writes are shielded, and must learn when to end.
                _forget(unix_path)
                gate.spare.close()
                connections.cancel_scope.deadline = trio.current_time() + config.graceful_timeout
                await context.stop(connections.cancel_scope.deadline)
        await lifespan.wait_for_shutdown()
        background.cancel_scope.cancel()


async def _connect(
    app: AppWrapper, config: Config, context: ServerContext, state: ConnectionState, stream: Stream
) -> None:
    await Connection(app, config, context, state, stream).run()


def _listen(config: Config, sockets: Sockets | None, unix_path: Path | None) -> list[Listener]:
    try:
        if sockets is None:
            sockets = config.create_sockets()
        plain = [*sockets.insecure_sockets, *([_unix_socket(unix_path)] if unix_path else [])]
        for sock in (*sockets.secure_sockets, *plain):
            sock.listen(config.backlog)
    except OSError as error:
        where = ", ".join([*config.bind, *config.insecure_bind, *([str(unix_path)] if unix_path else [])])
        cure = "; stop what is listening there, or set another server.port" if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(f"server: can't listen on {where}: {error.strerror or error}{cure}") from error
    try:
        tls = config.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one.
        raise ConfigError(f"server.certfile, server.keyfile: {error}") from error
    listeners: list[Listener] = [_listener(sock) for sock in plain]
    if tls is not None:
        listeners[:0] = [
            trio.SSLListener(_listener(sock), tls, https_compatible=True) for sock in sockets.secure_sockets
        ]
    return listeners


def _listener(sock: socket.socket) -> trio.SocketListener:
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


def _unix_socket(path: Path) -> socket.socket:
    """Bind a unix socket in the place of one that a dead process left. Whoever holds the data folder owns the path."""
    if path.is_socket():
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(os.fspath(path))
    path.chmod(0o600)  # Before listen(): nobody else gets in between.
    sock.setblocking(False)
    return sock


def _forget(path: Path | None) -> None:
    """Take away a path on which nobody listens any more."""
    if path:
        path.unlink(missing_ok=True)


def _address(listener: Listener) -> Address:
    plain = listener.transport_listener if isinstance(listener, trio.SSLListener) else listener
    assert isinstance(plain, trio.SocketListener)
    name = plain.socket.getsockname()
    return name if isinstance(name, str) else (name[0], name[1])

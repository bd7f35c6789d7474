"""A database's form as text: tables, columns, constraints, indexes and views."""

from __future__ import annotations

import peewee

from wagate.storage.statement import rows

SQLITE = ("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL",)
POSTGRES = (
    (
        "SELECT table_name || '.' || ordinal_position || ' ' || column_name || ' ' || data_type || ' null:'"
        " || is_nullable || ' default:' || coalesce(column_default, '') || ' identity:'"
        " || coalesce(identity_generation, '')"
        " FROM information_schema.columns WHERE table_schema = 'public'"
    ),
    (
        "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
    ),
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT viewname || ' ' || definition FROM pg_views WHERE schemaname = 'public'",
)


def schema(db: peewee.Database) -> str:
    """All of it, sorted: one statement or one fact after the other."""
    queries = SQLITE if db.param == "?" else POSTGRES
    return "\n".join(str(text) for query in queries for (text,) in sorted(rows(db, query))) + "\n"

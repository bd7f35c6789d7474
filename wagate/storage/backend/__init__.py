"""The databases themselves: SQLite and PostgreSQL, writing in groups, migrating."""

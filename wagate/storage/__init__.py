"""Storage: peewee over SQLite or PostgreSQL, one writer with group commit."""

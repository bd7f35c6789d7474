"""Chats, the people in them, and the archive."""

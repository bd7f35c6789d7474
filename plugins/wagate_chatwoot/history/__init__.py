"""Older messages and contacts, copied into Chatwoot."""

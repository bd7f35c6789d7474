"""Chatwoot's API, and how it can fail."""

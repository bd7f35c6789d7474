"""Webhooks of session engines, read."""

"""Providers of WhatsApp, faked as real HTTP servers."""

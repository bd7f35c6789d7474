"""WAHA's API, for clients that were built for it."""

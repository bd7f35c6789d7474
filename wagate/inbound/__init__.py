"""The inbound direction: verify, parse, dedupe, store, enqueue."""

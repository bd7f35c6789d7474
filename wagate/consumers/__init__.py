"""The consumers' side: fetch keys, run handlers, settle, record, ack."""

"""HTTP connections: the server, and the little of ASGI that the hot path needs."""

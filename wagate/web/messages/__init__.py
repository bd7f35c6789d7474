"""Messages to send, over HTTP."""

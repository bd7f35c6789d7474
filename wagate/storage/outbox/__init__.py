"""Messages to send, and how far each got."""

"""What happened: events as they come in, in order, and lists of them."""

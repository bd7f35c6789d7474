"""Set an inbox up, check it, try it."""

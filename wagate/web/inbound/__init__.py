"""The doors: where WhatsApp's events come in."""

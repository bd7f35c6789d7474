"""The process that holds WhatsApp's connections for the provider ``whatsapp``; it imports nothing of wagate."""

"""Out to WhatsApp: submit, send, follow up."""

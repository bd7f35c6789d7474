"""From Chatwoot to WhatsApp: what agents do."""

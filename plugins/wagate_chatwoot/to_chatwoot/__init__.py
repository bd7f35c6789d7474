"""From WhatsApp to Chatwoot: what agents see."""

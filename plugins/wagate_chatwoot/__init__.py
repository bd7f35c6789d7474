"""The connector ``chatwoot``: WhatsApp in ChatWoot's inboxes, and agents' answers on WhatsApp."""

"""Infobip's numbers for statuses and errors (source: its page "Response status and error codes")."""

from __future__ import annotations

OK, PENDING, UNDELIVERABLE, DELIVERED, EXPIRED, REJECTED = range(6)
"""Groups of statuses."""
FAILED_GROUPS = frozenset({UNDELIVERABLE, EXPIRED, REJECTED})

TO_OPERATOR = 2
"""Status: delivered to WhatsApp, not yet to a phone."""
NOT_ENOUGH_CREDITS, SENDER, PREPAID_EXPIRED = 12, 13, 17
FLOODING, SYSTEM_ERROR = 20, 21
DUPLICATE = 23
"""Status: the message's id was used before, so what was sent with it is there already."""

WINDOW = 7010
"""Error: the person has not written within 24 hours."""
SPAM_RATE, TOO_MANY = 7016, 7017
PROVIDER_ERRORS = frozenset({7050, 7051})

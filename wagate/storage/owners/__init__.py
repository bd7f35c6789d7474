"""Who is who: clients, tokens, accounts, endpoints."""

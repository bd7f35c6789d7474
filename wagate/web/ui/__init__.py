"""The dashboard: pages of HTML for people, each a GET that works without JavaScript, each act a POST."""

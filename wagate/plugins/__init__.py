"""Plugins as the core sees them: found, checked, registered."""

"""The embedded Valkey server: its folder, its process, its life."""

"""The gateway as one process: its parts, put together, started, watched and stopped."""

"""Files that come with messages, and files to send: fetched, kept by their hash, handed out under signed links."""

"""What `wagate.hooks.context` promises plugins, kept: over storage, consumers and the snapshot of who is who."""

"""Redis lists, peek and hold: the doorbell of the tables."""

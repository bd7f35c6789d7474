"""What is to be delivered, and what became of it."""

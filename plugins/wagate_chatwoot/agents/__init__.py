"""What agents ask of wagate itself, and what it answers."""

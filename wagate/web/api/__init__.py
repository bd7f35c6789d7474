"""The API beside the hot path: one file for each noun. Each makes a blueprint of what it is given."""

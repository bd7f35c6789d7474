"""Faults, made on purpose, beside the promises that hold meanwhile."""

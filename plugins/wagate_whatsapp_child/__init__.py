"""The process that holds WhatsApp's connections for the provider ``whatsapp``; it imports nothing of wagate.

Nor `dataclasses`, which loads 0.8 MB of the standard library.
"""

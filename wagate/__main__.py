"""``python -m wagate`` is ``wagate``."""

from wagate.cli import main

main()

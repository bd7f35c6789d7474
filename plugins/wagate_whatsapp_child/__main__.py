"""``python -m wagate_whatsapp_child DESCRIPTOR``: serve one gateway over the socket that it handed over."""

from __future__ import annotations

import sys

from wagate_whatsapp_child.serve import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]))

"""The library's file of keys, read through the SQLite that the library carries: in a process of its own."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

US, CHAT = "15550000001@s.whatsapp.net", "15550000007@s.whatsapp.net"
CODE = """
import json, os, sys
from pathlib import Path
from wagate_whatsapp_child.keys import Keys
from wagate_whatsapp_child.library import load

path, us, chat = Path(sys.argv[1]), *sys.argv[2:]
keys, told = Keys(load().go, path), []
for step in ("before", "closed", "after"):
    found = b"" if step == "closed" else keys.secret("3EB0", us, [chat], [us])
    if step == "closed":
        keys.close()
    links = (os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd"))
    told.append([found.decode(), sum(each == str(path) for each in links)])
print(json.dumps(told))
"""


def test_a_line_that_is_told_after_the_end_leaves_no_file_open(tmp_path: Path) -> None:
    path = (tmp_path / "session.db").resolve()
    with closing(sqlite3.connect(path)) as database:
        names = "our_jid, chat_jid, sender_jid, message_id, key"
        database.execute(f"CREATE TABLE whatsmeow_message_secrets ({names})")
        database.execute("INSERT INTO whatsmeow_message_secrets VALUES (?, ?, ?, '3EB0', ?)", (US, CHAT, US, b"key"))
        database.commit()
    said = subprocess.run(
        [sys.executable, "-c", CODE, str(path), US, CHAT], check=True, capture_output=True, timeout=60
    ).stdout
    assert json.loads(said) == [["key", 1], ["", 0], ["key", 0]]

"""A conversation with everything that an answer can have, written into a server's database."""

import json
import sqlite3

ANSWER = r"""A berth costs **£3.20 per metre** [1], current is extra [2], and [9] is no source.

| Season | Price |
|:--|--:|
| High | £3.20 |

For $n$ nights, between $5 and $6, \(x_i\):

$$
p = 3.20 \, n \left(1 - \frac{d}{100}\right)
$$

```python
print("ahoy")
```
"""
SOURCES = [
    {"number": 1, "title": "Visitor berths", "url": "https://www.example.org/berths", "text": "£3.20", "kind": "web"},
    {"number": 2, "title": "Handbook", "url": "", "text": "Metered. " * 40, "kind": "document"},
]
NOW = "2026-01-01 00:00:00"


def write(database, chat, role, content, **fields):
    """Append a message; returns its id."""
    row = {"conversation_id": chat, "role": role, "content": content, "created_at": NOW, "status": "complete"}
    row |= {"model_sha256": "", "tokens": 12, "seconds": 1.5, "left_out": 0, "model": "pebble", **fields}
    marks = ",".join("?" * len(row))
    with sqlite3.connect(database) as raw:
        found = raw.execute(f"insert into messages ({','.join(row)}) values ({marks})", list(row.values()))
        return found.lastrowid


def conversation(web, database):
    """The id of a conversation with notices, sources, a former and a raw answer; and that of the rich answer."""
    chat = web.post("/chat", json={"content": "What does a berth cost?"}).json()["id"]
    asked = write(database, chat, "user", "What does a berth cost?")
    write(database, chat, "assistant", "It depends.", superseded=asked + 1)
    details = json.dumps({"notes": ["1 of 3 sources did not fit"]})
    rich = {"sources": json.dumps(SOURCES), "raw": "A berth cost 3.20 [1].", "details": details, "left_out": 2}
    answer = write(database, chat, "assistant", ANSWER, **rich)
    write(database, chat, "user", "And in winter?")
    write(database, chat, "assistant", "In winter it is", status="interrupted")
    return chat, answer

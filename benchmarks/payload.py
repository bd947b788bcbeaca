"""A body like a code host's push event: 4 KB of nested JSON."""

from __future__ import annotations

import json
from hashlib import sha1


def push_event() -> bytes:
    person = {"name": "mona", "email": "mona@example.com", "username": "mona", "id": 583231, "type": "User"}
    commits = [
        {
            "id": digest(f"commit {number}"),
            "tree_id": digest(f"tree {number}"),
            "distinct": True,
            "message": f"Make part {number} of the engine turn at the right moment",
            "timestamp": f"2026-11-23T09:0{number}:00Z",
            "author": person,
            "committer": person,
            "added": [f"src/cam_{number}.py"],
            "removed": [],
            "modified": ["README.md", f"docs/{number}.md"],
        }
        for number in range(6)
    ]
    repository = {
        "id": 1296269,
        "name": "engine",
        "full_name": "mona/engine",
        "private": False,
        "owner": person,
        "default_branch": "main",
    }
    event = {
        "ref": "refs/heads/main",
        "before": digest("before"),
        "after": digest("commit 5"),
        "repository": repository,
        "pusher": person,
        "sender": person,
        "created": False,
        "deleted": False,
        "forced": False,
        "commits": commits,
        "head_commit": commits[-1],
    }
    event["padding"] = "x" * max(0, 4096 - len(json.dumps(event, separators=(",", ":"))) - 13)
    return json.dumps(event, separators=(",", ":")).encode()


def digest(text: str) -> str:
    """Forty hexadecimal digits, as a commit has."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest()

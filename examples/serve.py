"""What `make run` does: serve the example home, and say what to try."""  # noqa: INP001 - a script in no package

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent / "home"
SECRET = "example-secret"  # noqa: S105 - of the example only; your own stands in the environment
BASE = "http://127.0.0.1:8700/hooks"

TRY = f"""
camshaft serves examples/home; Ctrl-C stops it. In another terminal, from this folder:

  # the specification's trigger: a deal by e-mail starts the flow deal-process
  curl -sS {BASE}/deal-created -H 'content-type: application/json' -d @examples/home/samples/deal-created.json

  # the same from the web: 200 and no run. Why, says the event (put its id here)
  curl -sS {BASE}/deal-created -H 'content-type: application/json' -d @examples/home/samples/deal-created-web.json
  .venv/bin/camshaft event explain EVENT --home examples/home

  # a push, signed as GitHub signs
  curl -sS {BASE}/github-push -H 'content-type: application/json' --data-binary @examples/home/samples/github-push.json \\
    -H "X-Hub-Signature-256: sha256=$(openssl dgst -sha256 -hmac {SECRET} -r examples/home/samples/github-push.json | cut -d' ' -f1)"

  # a file
  echo 'so many words' > examples/home/inbox/note.txt

  # messages for a triage by rules and a model, whose stand-in costs nothing; a company to research: docs/examples.md has all of it
  curl -sS {BASE}/messages -H 'content-type: application/json' -d @examples/home/samples/messages.json
  curl -sS {BASE}/research -H 'content-type: application/json' -d @examples/home/samples/research.json

  # what ran, how long each step took, and what it cost
  .venv/bin/camshaft run list --home examples/home
  .venv/bin/camshaft run show RUN --home examples/home
"""


def main() -> None:
    """Become `camshaft serve`: signals and the exit status are its own."""
    os.environ.setdefault("GITHUB_WEBHOOK_SECRET", SECRET)
    print(TRY, flush=True)  # noqa: T201 - a script that speaks to a person
    command = Path(sys.executable).with_name("camshaft")
    os.execv(command, [str(command), "serve", "--home", str(HOME), *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()

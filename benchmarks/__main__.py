"""`python -m benchmarks [language|executor|process|hooks …]`: all of them, or those that are named."""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import executor, hooks, language, postgresql, process, reload

PARTS = {
    "language": language.main,
    "executor": executor.main,
    "process": process.main,
    "hooks": hooks.main,
    "postgresql": postgresql.main,
    "reload": reload.main,
}


def main(names: list[str]) -> None:
    unknown = set(names) - PARTS.keys()
    if unknown:
        raise SystemExit(f"there is no benchmark {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} processors\n")
    for name, run in PARTS.items():
        if not names or name in names:
            print(f"== {name}")
            run()


main(sys.argv[1:])

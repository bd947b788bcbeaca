"""What the exit status of a command says, beside 0 for done and 1 for failed."""

from typing import Final

USAGE: Final = 2
REFUSED: Final = 3  # a definition or a setting
UNMET: Final = 6  # an expectation
RUN_FAILED: Final = 7
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141  # what a shell reports of a program that SIGPIPE ended: whoever read our output has had enough

"""A request that is not taken, as the answer that says why; and the limits that bodies are held to."""

from __future__ import annotations

from dataclasses import dataclass

from triggers.http_answer import Answer, error_answer, reworded

_BODY = "the body "  # how a message begins that is about all of it


class Refused(Exception):  # noqa: N818 - it is an answer, on its way out
    """The request is not taken; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.status)

    def said_of(self, what: str) -> Refused:
        """The same of what is no body of its own: a line, a field, the data of an event in a batch."""

        def reword(said: str) -> str:
            return f"{what} {said.removeprefix(_BODY)}" if said.startswith(_BODY) else f"{what}: {said}"

        return Refused(reworded(self.answer, reword))


class NotJson(Refused):
    """The body is no JSON. Where its type does not insist on JSON, it is something else."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one body may hold, once it is in memory."""

    max_depth: int = 64  # of JSON
    max_fields: int = 1000  # of a form
    max_parts: int = 128  # of a multipart body
    max_events: int = 500  # of a batch


def undecodable(what: str, codec: str, error: UnicodeDecodeError) -> Refused:
    """`what` is the body, or which part of it."""
    said = f"{what} is not {codec}: byte {error.start} (0x{error.object[error.start]:02x})"
    return Refused(error_answer(400, "BAD_TEXT", said, "send UTF-8, or name the charset in Content-Type"))

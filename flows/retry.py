"""When a failed step is tried again, and after how long. Pure: no clock, no sleep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import random as uniform
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.errors import StepError

ErrorClass = Literal["transient", "rateLimit", "validation"]
Backoff = Literal["fixed", "linear", "exponential", "exponential-jitter"]

PASSING_STATUSES = frozenset({408, 425})  # of the 4xx: too slow, too early
MAX_EXPONENT = 60  # 2 ** 60 ms is past every cap; 2 ** 1100 does not fit into a float


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, after how long, and for which errors. The default tries once."""

    tries: int = 1  # all of them, the first included
    first_delay_s: float = 1.0
    backoff: Backoff = "fixed"
    max_delay_s: float = 30.0  # of a growing delay and of what a server asks for; a fixed delay is as long as it says
    retry_on: tuple[str | int, ...] | None = None  # None: every error; else HTTP statuses, codes, parts of the message
    fail_fast_on: tuple[str | int, ...] = ()  # stronger than retry_on
    by_class: tuple[tuple[ErrorClass, RetryPolicy], ...] = ()  # takes this one's place for errors of the class

    def of(self, error: StepError) -> RetryPolicy:
        """The policy that holds for an error."""
        return dict(self.by_class).get(class_of(error), self) if self.by_class else self

    def again(self, error: StepError, failed_attempts: int) -> bool:
        """Whether one more try follows. `failed_attempts` counts the one that failed just now, and no interrupted one."""
        policy = self.of(error)
        if policy is not self:
            return policy.again(error, failed_attempts)
        if failed_attempts >= self.tries:
            return False
        if any(matches(entry, error) for entry in self.fail_fast_on):
            return False
        if self.retry_on is None:
            return error.retryable
        return any(matches(entry, error) for entry in self.retry_on)

    def delay_s(
        self, failed_attempts: int, *, retry_after_s: float | None = None, random: Callable[[], float] = uniform
    ) -> float:
        """How long to wait after the n-th failure. What the other side asked for is a lower bound, up to the cap."""
        waited = self._grown_s(max(failed_attempts, 1), random)
        if retry_after_s is None:
            return waited
        return max(waited, min(retry_after_s, self.max_delay_s))

    def _grown_s(self, failed_attempts: int, random: Callable[[], float]) -> float:
        if self.backoff == "fixed":
            return self.first_delay_s
        if self.backoff == "linear":
            return min(self.first_delay_s * failed_attempts, self.max_delay_s)
        grown = min(self.first_delay_s * 2.0 ** min(failed_attempts - 1, MAX_EXPONENT), self.max_delay_s)
        if self.backoff == "exponential-jitter":
            return grown * (0.5 + random() / 2)  # [0.5, 1.0): so that those who failed together come back apart
        return grown


ONCE = RetryPolicy()


def class_of(error: StepError) -> ErrorClass:
    """Too many requests; what comes out the same however often it is tried; and all else, which may pass."""
    if error.status == 429:
        return "rateLimit"
    refused = error.status is not None and 400 <= error.status < 500 and error.status not in PASSING_STATUSES
    return "validation" if refused or not error.retryable else "transient"


def matches(entry: str | int, error: StepError) -> bool:
    """A number is an HTTP status or a number in the message; a text is the code or, in any case, a part of the message."""
    message = str(error)
    if isinstance(entry, int):
        return error.status == entry or re.search(rf"(?<!\w){entry}(?!\w)", message, re.ASCII) is not None
    return entry == error.code or entry.casefold() in message.casefold()

"""What runs are given of the outside: kinds of steps, flows by key, secrets, the allowed environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from daemon.credentials import Credentials
from daemon.errors import SecretMissing
from flows.emission import Emit, unheard
from flows.errors import StepError
from flows.executor import World
from flows.flow import Flow
from flows.step import StepKind
from flows.suggest import did_you_mean
from flows.waiting import LinkTo, WaitFor, no_link, wait_here


def make_world(
    kinds: Mapping[str, StepKind],
    flows: Callable[[], Mapping[str, Flow]],
    credentials: Credentials,
    env: Mapping[str, str],
    emit: Emit = unheard,
    wait: WaitFor = wait_here,
    link: LinkTo = no_link,
) -> World:
    """`flows` is asked each time: a sub-flow is looked up when its step starts."""

    def find_flow(key: str) -> Flow:
        known = flows()
        flow = known.get(key)
        if flow is None:
            hint = did_you_mean(key, known)
            raise StepError(f"there is no flow «{key}»{f' ({hint})' if hint else ''}", code="FLOW_NOT_FOUND", retryable=False)
        return flow

    def secret(name: str) -> str:
        try:
            return credentials.secret(name)
        except SecretMissing as missing:
            raise StepError(str(missing), code="SECRET_MISSING", retryable=False) from missing

    return World(kinds=kinds, find_flow=find_flow, secret=secret, env=env, emit=emit, wait=wait, link=link)

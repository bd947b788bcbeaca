"""Signatures over large bodies, and with more digests than anyone means: nobody else waits for them."""

import asyncio
import hashlib
import hmac
import threading
from dataclasses import replace
from time import time

import pytest

from triggers.bodies.unpack import MAX_ON_LOOP_BYTES
from triggers.sources.webhook_hook import Guard
from triggers.sources.webhook_spec import prepare

DIGESTS = 200  # as many as one header has room for
BODY = b"x" * 1_000_000


def forged_stripe():
    times = [f"t={int(time()) + second}" for second in range(8)]
    return {"stripe_signature": ",".join(times + [f"v1={number:064x}" for number in range(DIGESTS)])}


def forged_standard_webhooks():
    signatures = " ".join("v1," + "A" * 43 + "=" for _ in range(DIGESTS))
    return {"webhook_id": "msg_1", "webhook_timestamp": str(int(time())), "webhook_signature": signatures}


@pytest.mark.parametrize(
    ("kind", "forged"),
    [("stripe", forged_stripe), ("standard_webhooks", forged_standard_webhooks)],
    ids=["stripe", "standard_webhooks"],
)
async def test_a_forged_request_with_hundreds_of_digests_holds_nobody_up(listening, kind, forged):
    auth = {"type": kind, "secret": [{"env": "NEW"}, {"env": "OLD"}]}
    world = await listening({"auth": auth}, find_secret=lambda ref: f"whsec_{ref['env']}A".encode())
    loop, pauses = asyncio.get_running_loop(), []

    asked = asyncio.create_task(world.send(BODY, **forged()))
    while not asked.done():
        began = loop.time()
        await asyncio.sleep(0.001)
        pauses.append(loop.time() - began)

    status, said, _ = await asked
    assert (status, said["error"]["code"]) == (401, "UNAUTHORIZED")
    assert max(pauses) < 0.2


async def test_a_large_body_is_verified_off_the_loop_and_let_in(listening):
    threads = []

    def find(ref):
        threads.append(threading.current_thread())
        return b"key"

    world = await listening({"auth": {"type": "github", "secret": {"env": "KEY"}}}, find_secret=find)
    small, large = b"[" + b" " * (MAX_ON_LOOP_BYTES - 2) + b"]", b"[" + b" " * (MAX_ON_LOOP_BYTES - 1) + b"]"
    for body in (large, small):
        world.source.update([])  # so that the secret is looked for anew
        world.source.update(world.triggers)

        status, said, _ = await world.send(
            body, x_hub_signature_256=f"sha256={hmac.new(b'key', body, hashlib.sha256).hexdigest()}"
        )

        assert status == 202, said

    off, on = threads
    assert off is not threading.main_thread()
    assert on is threading.main_thread()


async def test_hooks_that_are_swapped_while_a_large_body_is_verified_judge_it_again(listening):
    verifying, swapped = threading.Event(), threading.Event()

    def find(_ref):
        verifying.set()
        swapped.wait(20)
        return b"key"

    world = await listening({"auth": {"type": "github", "secret": {"env": "KEY"}}}, find_secret=find)
    body = b"[" + b" " * MAX_ON_LOOP_BYTES + b"]"

    asked = asyncio.create_task(world.send(body, x_hub_signature_256="sha256=" + "0" * 64))
    await asyncio.to_thread(verifying.wait, 20)
    world.source.update([replace(trigger, spec=prepare({"path": "/a"})) for trigger in world.triggers])
    swapped.set()
    status, said, _ = await asked

    assert status == 202, said  # the hook has no auth any more
    (event,) = world.intake.events
    assert event.failed_auth == {}


def test_a_guard_that_is_asked_from_several_threads_lets_in_whom_it_should():
    spec = prepare({"path": "/a", "auth": {"type": "bearer", "secret": {"env": "TOKEN"}}}).auth
    guard, wrong = Guard(spec, lambda _: b"tok"), []

    def ask():
        for now in range(3000):  # its secret is looked for again and again
            good = guard.refuses({"authorization": "Bearer tok"}, b"", now * 3.0)
            bad = guard.refuses({"authorization": "Bearer no"}, b"", now * 3.0)
            if good is not None or bad is None:
                wrong.append(now)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert wrong == []

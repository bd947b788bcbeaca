"""Who is let in at a hook, who is not, and what is kept of it."""

import hashlib
import hmac
import json

from tests.triggers.webhook.hooks import opened, trigger, unavailable
from triggers.source import Accepted


def signed(body, key=b"key"):
    return "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()


HMAC = {"type": "hmac", "secret": {"env": "KEY"}, "header": "X-Hub-Signature-256"}
BEARER = {"type": "bearer", "secret": {"env": "TOKEN"}}


async def test_a_signature_is_checked_on_the_raw_bytes_and_not_stored():
    body = b'{ "a" :1 }'
    async with opened(trigger("a", auth=HMAC)) as world:
        response, _ = await world.send(data=body, headers={"X-Hub-Signature-256": signed(body)})

        assert response.status == 202
        assert world.document["headers"]["x-hub-signature-256"] == "[redacted]"


async def test_a_request_that_nobody_lets_in_is_401_recorded_without_its_body_and_names_no_trigger():
    async with opened(trigger("secret-deal", auth=HMAC)) as world:
        response, said = await world.send(data=b'{"a": 1}', headers={"X-Hub-Signature-256": signed(b"other")})

        assert response.status == 401
        assert said["error"]["code"] == "UNAUTHORIZED"
        assert "secret-deal" not in json.dumps(said)
        assert world.document["body"] is None
        assert world.intake.events[0].failed_auth == {"secret-deal": "the signature does not fit the body and the secret"}


async def test_a_forged_request_is_not_parsed():
    async with opened(trigger("a", auth=HMAC)) as world:
        response, _ = await world.send(data=b"{not json", headers={"X-Hub-Signature-256": "sha256=00"})

        assert response.status == 401


async def test_who_passes_one_of_two_auths_is_let_in_and_the_other_trigger_learns_of_it():
    async with opened(trigger("a", auth=HMAC), trigger("b", auth=BEARER)) as world:
        response, _ = await world.send(data=b"{}", headers={"Authorization": "bearer tok"})

        assert response.status == 202
        assert world.intake.events[0].failed_auth == {"a": "the header x-hub-signature-256 is missing"}
        assert world.document["body"] == {}


async def test_a_trigger_for_another_method_does_not_open_the_door():
    async with opened(trigger("a", auth=HMAC), trigger("b", methods=["PUT"])) as world:
        assert (await world.send(data=b"{}"))[0].status == 401
        assert (await world.send(data=b"{}", method="PUT"))[0].status == 202


async def test_a_disabled_trigger_without_auth_does_not_open_the_door():
    async with opened(trigger("a", auth=HMAC), trigger("b", enabled=False)) as world:
        assert (await world.send(data=b"{}"))[0].status == 401


async def test_a_secret_that_is_not_there_lets_nobody_in_and_says_so_to_the_owner():
    async with opened(trigger("a", auth={"type": "bearer", "secret": {"env": "NOPE"}})) as world:
        response, _ = await world.send(data=b"{}", headers={"Authorization": "Bearer tok"})

        assert response.status == 401
        assert world.intake.events[0].failed_auth == {"a": "its secret is not available: NOPE"}


async def test_refusals_are_recorded_sixty_times_a_minute_and_then_only_counted():
    now = [1_000_000.0]
    async with opened(trigger("a", auth=HMAC), clock=lambda: now[0]) as world:
        statuses = {(await world.send(data=b"{}"))[0].status for _ in range(70)}
        recorded = len(world.intake.events)
        now[0] += 60
        await world.send(data=b"{}")

        assert (statuses, recorded, len(world.intake.events)) == ({401}, 60, 61)


async def test_a_refusal_that_cannot_be_recorded_is_still_a_refusal():
    async with opened(trigger("a", auth=HMAC)) as world:
        world.intake.answer = lambda event: unavailable()

        assert (await world.send(data=b"{}"))[0].status == 401


async def test_strangers_learn_verdicts_only_behind_auth_and_only_of_triggers_that_let_them_in():
    async with opened(trigger("open", "/open"), trigger("a", auth=BEARER), trigger("b", auth=HMAC)) as world:
        world.source._receiver.loopback = False  # as if bound to a public address
        world.intake.answer = lambda event: Accepted(event.id, ("run_1",), {"a": "dispatched", "b": "auth_failed"})

        _, in_the_open = await world.send("/open", data=b"{}")
        _, behind_auth = await world.send(data=b"{}", headers={"Authorization": "Bearer tok"})

        assert "verdicts" not in in_the_open
        assert behind_auth["verdicts"] == {"a": "dispatched"}

"""The webhook source itself: where it listens, what it refuses to, how its hooks are swapped, and its own faults."""

import json
import subprocess
import sys

import pytest

from tests.triggers.webhook.hooks import Intake, find_secret, opened, trigger, unavailable
from triggers.source import Accepted, SourceError
from triggers.sources.webhook import WebhookSource, split_address


async def test_what_cannot_be_made_durable_is_answered_503_with_a_time_to_come_back():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: unavailable()

        response, said = await world.send(data=b"{}")

        assert (response.status, response.headers["Retry-After"], said["error"]["code"]) == (503, "7", "UNAVAILABLE")


async def test_a_fault_of_ours_is_answered_500_without_our_insides_and_the_listener_goes_on():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: 1 / 0

        response, said = await world.send(data=b"{}")
        world.intake.answer = lambda event: Accepted(event.id, (), {})
        again, _ = await world.send(data=b"{}")

        assert (response.status, said["error"]["code"], again.status) == (500, "INTERNAL", 200)
        assert "ZeroDivision" not in json.dumps(said)


async def test_update_swaps_what_is_listened_for():
    async with opened(trigger("a")) as world:
        world.source.update([trigger("b", "/new")])

        assert (await world.send("/deal-created", data=b"{}"))[0].status == 404
        assert (await world.send("/new", data=b"{}"))[0].status == 202


async def test_a_taken_port_is_refused_by_name_with_a_way_out():
    async with opened(trigger("a")) as world:
        taken = world.source.url.removeprefix("http://").removesuffix("/hooks")
        second = WebhookSource(WebhookSource.Settings(listen=taken), secret=find_secret)

        with pytest.raises(SourceError, match=f"{taken} is taken.*--listen"):
            async with second.open(world.intake):
                pass


async def test_an_address_of_another_machine_is_refused():
    source = WebhookSource(WebhookSource.Settings(listen="192.0.2.1:0"), secret=find_secret)

    with pytest.raises(SourceError, match=r"192\.0\.2\.1:0"):
        async with source.open(Intake()):
            pass


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:0", ("::1", 0)),
        (":8420", ("0.0.0.0", 8420)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_to_listen_on_is_host_and_port(text, address):
    assert split_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8420", "localhost", "localhost:", "localhost:x", "localhost:99999", "::1:80", "h:-1", "h:²"]
)
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(SourceError, match="HOST:PORT"):
        split_address(text)


def test_who_only_checks_definitions_loads_no_server_and_no_scheduler():
    code = (
        "import sys; from triggers.load import load_trigger;"
        "load_trigger({'key': 'a', 'trigger': {'type': 'webhook', 'path': '/a'}, 'flow': 'f'}, key=None, file=None);"
        "print([name for name in ('aiohttp', 'apscheduler', 'watchdog', 'sqlalchemy') if name in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


async def test_an_ipv6_listener_says_its_address_in_brackets():
    source = WebhookSource(WebhookSource.Settings(listen="[::1]:0"), secret=find_secret)

    try:
        async with source.open(Intake()):
            assert source.url.startswith("http://[::1]:")
    except SourceError as error:
        assert "no such address" in str(error)  # noqa: PT017 - a machine without IPv6 says so

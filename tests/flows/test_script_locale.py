"""How scripts write dates, numbers and order: what node gave, recorded by make_locale_vectors.mjs, replayed in the engine."""

import json
import time
from pathlib import Path

import pytest

from flows.errors import StepError
from flows.script.engine import Limits
from flows.script.quickjs import QuickJs
from flows.script.scan import scan
from flows.script.zones import changes

VECTORS = json.loads((Path(__file__).parent / "locale_vectors.json").read_text(encoding="utf-8"))
LIMITS = Limits(timeout_s=10, memory_bytes=64 * 1024 * 1024, output_bytes=1024 * 1024)
REPLAY = """(zones => input.cases.map(([kind, method, value, second, options]) => {
  try {
    return kind === 'text' ? value.localeCompare(second, 'en', options) : (kind === 'date' ? new Date(value) : value)[method](second, options)
  } catch (error) { return /not to be had/.test(error.message) ? ['refused'] : null }
}))(%s)"""


async def evaluate(text, **inputs):
    engine = QuickJs(1)
    root = {"input": inputs, "steps": {}, "loop": {}, "env": {}}
    try:
        script = scan(f"0 && ''.localeCompare() || {text}", form="expression")
        return await engine.evaluate(script, {"$": root, **root, "data": None, "output": None}, LIMITS)
    finally:
        await engine.close()


async def test_dates_numbers_and_order_are_nodes_or_refused_and_never_something_else():
    cases = VECTORS["cases"]

    answers = await evaluate(REPLAY % json.dumps(VECTORS["zones"]), cases=cases)

    wrong = [(case, answer) for case, answer in zip(cases, answers, strict=True) if answer != case[-1] and answer != ["refused"]]
    refused = [case for case, answer in zip(cases, answers, strict=True) if answer == ["refused"]]
    assert len(cases) == 1200
    assert wrong == []
    assert len([case for case in refused if case[3] == "en-US"]) < len([case for case in cases if case[3] == "en-US"]) / 6
    assert [case for case in refused if case[0] != "date"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("new Date(0).toLocaleDateString('de-DE')", "the locale de-DE is not to be had here"),
        ("(5).toLocaleString('en-US', { style: 'unit', unit: 'mile' })", "the option unit is not to be had here"),
        ("new Date(0).toLocaleString('en-US', { timeZone: input.zone })", "the time zone Asia/Tokyo (only those"),
        ("new Date(0).toLocaleString('en-US', { timeZone: 'No/Where' })", "the time zone No/Where"),
        ("new Intl.PluralRules('en')", "TypeError"),
    ],
)
async def test_what_is_not_there_is_refused_with_the_way_out(text, said):
    with pytest.raises(StepError) as caught:
        await evaluate(text, zone="Asia/Tokyo")

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' }).format(1234.5)", "$1,234.50"),
        ("Intl.DateTimeFormat('en-US', { timeZone: 'UTC', dateStyle: 'full' }).format(new Date(0))", "Thursday, January 1, 1970"),
        ("['b', 'a', 'C', 'ä'].sort(new Intl.Collator().compare)", ["a", "ä", "b", "C"]),
        ("[1234.5, null, new Date(NaN)].toLocaleString()", "1,234.5,,Invalid Date"),
        ("12345678901234567890n.toLocaleString()", "12,345,678,901,234,567,890"),
        ("typeof Intl.DateTimeFormat().resolvedOptions().timeZone", "string"),
    ],
)
async def test_intl_and_the_methods_of_lists_and_large_integers(text, value):
    assert await evaluate(text) == value


def test_a_zone_is_known_by_when_its_clocks_change():
    berlin = changes("Europe/Berlin")

    assert berlin is not None
    assert [each for each in berlin if 1767225600000 < each[0] < 1798761600000] == [(1774746000000, 7200), (1792890000000, 3600)]
    assert changes("Nowhere/Land") is None
    assert changes("../etc/passwd") is None


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("UTC", ["Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)", "1/1/1970, 12:00:00 AM UTC"]),
        ("Europe/Lisbon", ["Thu Jan 01 1970 01:00:00 GMT+0100", "the name of a time zone other than UTC"]),
        ("Africa/Abidjan", ["Thu Jan 01 1970 00:00:00 GMT+0000", "the name of a time zone other than UTC"]),
    ],
)
async def test_a_date_as_text_has_the_name_of_utc_and_of_no_other_zone(monkeypatch, zone, written):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        text = "(() => { try { return new Date(0).toLocaleString('en-US', { timeZoneName: 'short' }) } catch (e) { return e.message } })()"
        plain, local, invalid = await evaluate("[`${new Date(0)}`, " + text + ", String(new Date('x'))]")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert (plain, invalid) == (written[0], "Invalid Date")
    assert written[1] in local

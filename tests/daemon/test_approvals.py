"""Approvals: answered once, checked as inputs are, and told what happened where it comes twice, late or at the wrong step."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import pytest

from daemon.errors import BadRequest, Conflict, HomeError, NotFound
from daemon.waiting.approvals import Approvals
from daemon.waiting.links import AFTER_S, NO_END_S, Links, read_key
from daemon.waiting.page import HEADERS, ApprovalPages
from flows.errors import DefinitionError
from flows.waiting import Place
from tests.daemon.test_waiting import a_flow, note, open_bench  # noqa: F401 - a fixture

FORM = {
    "amount": {"type": "number", "label": "How much?"},
    "team": {"type": "string", "enum": ["red", "blue"], "default": "red"},
    "urgent": {"type": "boolean", "required": False},
}


def asks(step="ask", **section):
    more = section.pop("step", {})
    return {"id": step, "type": "approval", "approval": {"message": "Pay {{$.input.who}}?", **section}, **more}


@pytest.fixture
async def asking(open_bench, tmp_path):  # noqa: F811 - the fixture above
    """asking(step, …): a bench, its approvals and a run of these steps that asks."""

    async def start(*steps, inputs=None, links=None, path=None):
        flow = a_flow(tmp_path, *steps)
        bench = await open_bench(flow)
        bench.links = Links(b"k" * 32, lambda: "http://here", clock=bench.clock)
        object.__setattr__(bench.worker._world, "link", bench.links)
        bench.approvals = Approvals(bench.waits, bench.store, bench.links)
        run = await bench.live.start(flow, {"who": "Ada"} if inputs is None else inputs)
        await bench.until_open(run, path or next(step["id"] for step in steps if step["type"] == "approval"))
        await bench.store.drained()
        return bench, run

    return start


async def test_a_yes_with_a_form_goes_on_with_its_values_of_their_types(asking):
    bench, run = await asking(asks(form=FORM), note("after"))

    row = await bench.approvals.decide(
        run, "ask", "approve", form={"amount": "12.5", "urgent": "true"}, comment=" fine ", by="bob"
    )
    ended = await bench.ended(run)

    assert (row.how, row.resolved_by) == ("approved", "bob")
    (ask,) = (attempt for attempt in ended.attempts if attempt.path == "ask")
    assert ask.output == {
        "approved": True,
        "by": "bob",
        "at": ask.output["at"],
        "form": {"amount": 12.5, "team": "red", "urgent": True},
        "comment": "fine",
    }
    assert (ended.status, ask.number) == ("completed", 1)


async def test_the_question_is_text_with_the_values_of_its_run(asking):
    bench, _run = await asking(asks())

    assert [row.detail["message"] for row in bench.approvals.open()] == ["Pay Ada?"]


async def test_a_no_fails_the_step_and_says_who_and_why(asking):
    bench, run = await asking(asks(), note("after"))

    await bench.approvals.decide(run, "ask", "reject", comment="too much", by="bob")
    ended = await bench.ended(run)

    assert (ended.status, ended.code, ended.error) == ("failed", "REJECTED", "step «ask»: it was rejected by bob: too much")


async def test_a_no_may_be_an_answer_like_any_other(asking):
    said = {"id": "said", "type": "transform", "transform": {"expression": "$.steps.ask.output.approved"}}
    bench, run = await asking(asks(onReject="continue"), said)

    await bench.approvals.decide(run, "ask", "reject")
    ended = await bench.ended(run)

    assert (ended.status, ended.output) == ("completed", False)


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [("fail", "failed", "APPROVAL_TIMEOUT"), ("reject", "failed", "REJECTED"), ("approve", "completed", None)],
)
async def test_silence_means_what_the_step_says(asking, rule, status, code):
    form = {"team": {"type": "string", "default": "red"}}
    bench, run = await asking(asks(timeout="2d", onTimeout=rule, form=form))
    await bench.until_at_rest(run)

    bench.set_clock(2 * 86_400 + 1)
    ended = await bench.ended(run)

    assert (ended.status, ended.code) == (status, code)
    if status == "completed":
        assert ended.output["form"] == {"team": "red"}
        assert (ended.output["approved"], ended.output["by"]) == (True, None)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, 'Missing required field: "amount"'),
        ({"amount": "lots"}, 'Field "amount" must be a number, got string ("lots")'),
        ({"amount": None}, 'Missing required field: "amount"'),
        ({"amount": 1, "team": "green"}, 'Field "team" must be one of ["red","blue"], got "green"'),
        ({"amount": 1, "urgent": "perhaps"}, 'Field "urgent" must be a boolean, got string ("perhaps")'),
        ({"amonut": 1}, "did you mean «amount»?"),
        ({"__proto__": 1}, "its fields are amount, team, urgent"),
        ([], "the form is"),
        ("x" * 100_000, "the form is"),
    ],
)
async def test_values_that_do_not_fit_are_refused_and_the_question_stays_open(asking, form, said):
    bench, run = await asking(asks(form=FORM))

    with pytest.raises(DefinitionError) as refused:
        await bench.approvals.decide(run, "ask", "approve", form=form)
    await bench.approvals.decide(run, "ask", "approve", form={"amount": 1})
    ended = await bench.ended(run)

    assert said in str(refused.value)
    assert len(str(refused.value)) < 1000
    assert ended.status == "completed"


async def test_who_answers_twice_is_told_what_came_first(asking):
    bench, run = await asking(asks(), asks("more"))
    first = bench.approvals.decide(run, "ask", "approve", by="bob")
    second = bench.approvals.decide(run, "ask", "reject", by="eve")

    answers = await asyncio.gather(first, second, return_exceptions=True)
    await bench.until_open(run, "more")
    with pytest.raises(Conflict) as later:
        await bench.approvals.decide(run, "ask", "reject")

    assert (answers[0].how, answers[0].resolved_by) == ("approved", "bob")
    assert isinstance(answers[1], Conflict)
    for error in (answers[1], later.value):
        assert error.message.startswith("it was approved by bob at ")


async def test_who_comes_late_is_told_that_the_time_was_over(asking):
    bench, run = await asking(asks(timeout="1h", onTimeout="reject", onReject="continue"), asks("more"))
    await bench.until_at_rest(run)
    bench.set_clock(3601)
    await bench.until_open(run, "more")

    with pytest.raises(Conflict) as refused:
        await bench.approvals.decide(run, "ask", "approve")

    assert refused.value.message.startswith("its time was over at ")


async def test_who_comes_after_the_end_of_the_run_is_told_so(asking):
    bench, run = await asking(asks())
    await bench.until_at_rest(run)
    await bench.live.cancel([run])
    await bench.ended(run)

    with pytest.raises(Conflict) as refused:
        await bench.approvals.decide(run, "ask", "approve")

    assert refused.value.message.startswith(f"the run {run} is cancelled since ")


async def test_a_step_that_asks_nothing_is_not_found_and_the_near_one_is_named(asking):
    bench, run = await asking(asks())

    with pytest.raises(NotFound) as misspelt:
        await bench.approvals.decide(run, "askk", "approve")
    with pytest.raises(NotFound):
        await bench.approvals.decide("run_none", "ask", "approve")

    assert "«ask»" in str(misspelt.value)


async def test_several_of_one_id_are_told_apart_by_their_paths(asking):
    loop = {"id": "each", "type": "loop", "loop": {"over": [1, 2], "maxConcurrency": 2, "steps": [asks()]}}
    bench, run = await asking(loop, path="each[1].ask")

    with pytest.raises(BadRequest) as several:
        await bench.approvals.decide(run, "ask", "approve")
    await bench.approvals.decide(run, "each[0].ask", "approve", by="a")
    await bench.approvals.decide(run, "ask", "approve", by="b")
    ended = await bench.ended(run)

    assert "each[0].ask, each[1].ask" in str(several.value)
    assert [a.output["by"] for a in ended.attempts if a.step == "ask"] == ["a", "b"]


async def test_only_approvers_may_answer_where_there_are_some(asking):
    bench, run = await asking(asks(approvers=["ada", "bob"]))

    for by in (None, "eve"):
        with pytest.raises(BadRequest) as refused:
            await bench.approvals.decide(run, "ask", "approve", by=by)
        assert "--by ada or bob" in str(refused.value)
    await bench.approvals.decide(run, "ask", "approve", by="ada")

    assert (await bench.ended(run)).output["by"] == "ada"


async def test_steps_that_tell_people_run_first_once_and_are_given_the_link(asking, open_bench):  # noqa: F811
    tell = {
        "id": "tell",
        "type": "file-write",
        "fileWrite": {"path": "told.txt", "content": "{{$.loop.approval.link}}\n", "append": True},
    }
    bench, run = await asking(asks(notify=[tell], timeout="1h"), note("after"))
    await bench.until_at_rest(run)
    link = (bench.flows["later"].folder / "told.txt").read_text().strip()
    bench.at_rest.wake(run)  # as after a restart
    await bench.until_at_rest(run)

    page = await ApprovalPages(bench.approvals).decide(link.rpartition("/")[2], b"decision=approve&by=Zo%C3%AB")
    ended = await bench.ended(run)

    assert link.startswith("http://here/approvals/")
    assert (bench.flows["later"].folder / "told.txt").read_text().strip() == link
    assert page.status == 200
    assert (ended.status, next(a.output["by"] for a in ended.attempts if a.path == "ask")) == ("completed", "Zoë")
    assert [a.number for a in ended.attempts if a.path == "ask.tell"] == [1]


async def test_the_page_shows_values_as_text_and_decides_nothing_by_looking(asking):
    evil = "<script>alert(1)</script>\"'&"
    bench, run = await asking(asks(message=evil, form={"n": {"label": evil, "description": evil, "default": evil}}))
    token = bench.links.token(Place(run, "ask", 1), None, evil)
    pages = ApprovalPages(bench.approvals)

    shown = await pages.show(token)
    again = await pages.show(token)

    assert (shown.status, again) == (200, shown)
    assert "<script>" not in shown.html
    assert shown.html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 5
    assert "script" not in HEADERS["Content-Security-Policy"]
    assert len(bench.approvals.open()) == 1


async def test_the_page_takes_the_form_that_it_shows_and_keeps_what_was_typed(asking):
    bench, run = await asking(asks(form=FORM))
    pages, token = ApprovalPages(bench.approvals), bench.links.token(Place(run, "ask", 1), None, None)

    def body(**fields):
        return urlencode({"decision": "approve", "by": "ada", "comment": "", **fields}).encode()

    wrong = await pages.decide(token, body(**{"form.amount": "lots", "form.team": "blue", "form.urgent": ""}))
    undecided = await pages.decide(token, body(decision="", **{"form.amount": "5"}))
    huge = await pages.decide(token, b"a=" + b"x" * 300_000)
    binary = await pages.decide(token, b"\xff\xfe=\x00")
    done = await pages.decide(token, body(**{"form.amount": "5", "form.team": "blue", "form.urgent": ""}))
    twice = await pages.decide(token, body())
    ended = await bench.ended(run)

    assert [page.status for page in (wrong, undecided, huge, binary, done, twice)] == [422, 422, 413, 422, 200, 409]
    assert "must be a number" in wrong.html
    assert 'value="lots"' in wrong.html
    assert "<option selected>blue" in wrong.html
    assert "approved by ada" in twice.html
    assert ended.output["form"] == {"amount": 5, "team": "blue"}


async def test_a_link_of_an_approver_answers_in_that_name_alone(asking):
    bench, run = await asking(asks(approvers=["ada", "bob"]))
    (row,) = bench.approvals.open()
    links = bench.approvals.links_of(row)
    bench.set_clock(60)

    page = await ApprovalPages(bench.approvals).decide(links["bob"].rpartition("/")[2], b"decision=approve&by=ada")
    ended = await bench.ended(run)

    assert list(links) == ["ada", "bob"]
    assert bench.approvals.links_of(row) == links
    assert page.status == 200
    assert ended.output["by"] == "bob"


PLACE = Place("run_1", "each[0].a/b", 2)


def test_a_link_is_read_back_and_nothing_else_is():
    links = Links(b"k" * 32, lambda: "http://here", clock=lambda: 1000.0)
    token = links.token(PLACE, 2000.0, "ada")
    other = Links(b"x" * 32, lambda: None).token(PLACE, 2000.0, "ada")
    said, sign = token.split(".")

    assert (links.read(token).place, links.read(token).by) == (PLACE, "ada")
    wrong = [
        other,
        said,
        f"{said}.",
        f".{sign}",
        f"{said}.{sign[:-1]}",
        f"{said}.{sign}=",
        f"{sign}.{said}",
        f"{said}.{sign}.{sign}",
    ]
    wrong += ["", ".", "\x00", "é.é", "a" * 100_000, token.swapcase(), token + "\n", token.replace(".", "..")]
    wrong += [f"{said}{chr(ord(said[-1]) ^ 1)}.{sign}", f"{'A' + said[1:]}.{sign}"]
    assert [links.read(text) for text in wrong] == [None] * len(wrong)


@pytest.mark.parametrize("character", range(0, 200, 7))
def test_no_character_of_a_link_can_be_changed(character):
    links = Links(b"k" * 32, lambda: None, clock=lambda: 0.0)
    token = links.token(PLACE, None, None)
    at = character % len(token)
    changed = "A" if token[at] != "A" else "B"

    assert links.read(token[:at] + changed + token[at + 1 :]) is None


def test_a_link_outlives_its_question_by_a_day_and_one_without_an_end_by_ninety():
    now = [1000.0]
    links = Links(b"k" * 32, lambda: "http://here", clock=lambda: now[0])
    ending, endless = links.token(PLACE, 2000.0, None), links.token(PLACE, None, None)

    now[0] = 2000.0 + AFTER_S - 1
    before = [links.read(token) is not None for token in (ending, endless)]
    now[0] = 2000.0 + AFTER_S + 1
    after = [links.read(token) is not None for token in (ending, endless)]
    now[0] = 1001.0 + NO_END_S

    assert (before, after, links.read(endless)) == ([True, True], [False, True], None)


def test_there_is_no_link_where_no_page_is_served():
    assert Links(b"k" * 32, lambda: None)(PLACE, None, None) is None


def test_the_key_of_links_is_kept_for_its_owner_alone(tmp_path):
    made = read_key(tmp_path / "state/link.key")
    again = read_key(tmp_path / "state/link.key")

    assert made == again
    assert len(made) == 32
    assert (tmp_path / "state/link.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "state/link.key").chmod(0o644)
    with pytest.raises(HomeError):
        read_key(tmp_path / "state/link.key")
    (tmp_path / "state/link.key").chmod(0o600)
    (tmp_path / "state/link.key").write_bytes(b"\xff\n")
    with pytest.raises(HomeError):
        read_key(tmp_path / "state/link.key")

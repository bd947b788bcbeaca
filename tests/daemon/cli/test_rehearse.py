"""`flow execute` with --dry-run, --mock, --stop-after, --output-file and --agent, and `flow validate` and `flow show`."""

import json

import pytest


@pytest.fixture
def agent(run):
    """One command with --agent: the events it told of."""

    def command(*arguments, status=0):
        done, out, err = run(*arguments, "--agent")
        assert (done, err) == (status, "")
        return [json.loads(line) for line in out.splitlines()]

    return command


def write(folder, name="main.json", **flow):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"key": "main", **flow}))
    return file


def calc(step_id, expression="1", **given):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}, **given}


def shell(step_id, command, **given):
    return {"id": step_id, "type": "bash", "bash": {"command": command}, **given}


def by_id(resolved):
    return {step["stepId"]: step for step in resolved["steps"]}


def statuses(step):
    return {each["selector"]: each["status"] for each in step["references"]}


@pytest.fixture
def flow(tmp_path):
    """Three steps with effects, a calculation between them, and a loop at the end."""
    return write(
        tmp_path,
        inputs={"a": {"type": "string"}, "b": {"required": False}},
        steps=[
            shell("first", "echo ran >> first; echo {{$.input.a | shell}}"),
            calc("between", "$.steps.first.output + '!'"),
            {
                "id": "each",
                "type": "loop",
                "loop": {"over": [1, 2], "steps": [shell("inner", "echo ran >> inner; echo {{$.loop.item | shell}}")]},
            },
            {
                "id": "last",
                "type": "file-write",
                "fileWrite": {"path": "last", "content": "{{$.steps.between.output}} {{$.input.b}}"},
            },
        ],
    )


def test_a_dry_run_runs_nothing_and_says_of_each_reference_what_it_is(flow, run_json, tmp_path):
    looked = run_json("flow", "execute", flow, "-i", "a=it's", "--dry-run")

    steps = by_id(looked)
    assert (looked["flow"], looked["dryRun"], list(steps)) == ("main", True, ["first", "between", "each", "inner", "last"])
    assert statuses(steps["first"]) == {"$.input.a": "resolved"}
    assert steps["first"]["resolved"]["command"] == "echo ran >> first; echo 'it'\\''s'"
    assert (steps["between"]["deferred"], statuses(steps["between"])) == (True, {"$.steps.first.output": "deferred"})
    assert statuses(steps["inner"]) == {"$.loop.item": "deferred"}
    assert statuses(steps["last"]) == {"$.steps.between.output": "deferred", "$.input.b": "missing"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["main.json"]


def test_a_dry_run_evaluates_what_it_can_and_tells_a_mistake_from_what_comes_later(run_json, tmp_path):
    steps = [
        calc("sum", "$.input.n + 1"),
        calc("wrong", "$.input.x.y.z"),
        {"id": "c", "type": "condition", "condition": {"expression": "$.input.n > 1", "then": []}},
        {"id": "nowhere", "type": "condition", "condition": {"expression": "$.input.x.y.z > 1", "then": []}},
        {"id": "js", "type": "condition", "condition": {"expression": "[...'ab'].length === $.input.n", "then": []}},
        {"id": "later", "type": "condition", "condition": {"expression": "[...$.steps.sum.output].length > 1", "then": []}},
    ]
    file = write(tmp_path, inputs={"n": {"type": "number"}, "x": {"required": False}}, steps=steps)

    found = by_id(run_json("flow", "execute", file, "-i", "n=2", "--dry-run"))

    assert found["sum"]["resolved"] == 3
    assert [found[name].get("resolved") for name in ("c", "nowhere", "js", "later")] == [True, False, True, None]
    assert found["later"]["deferred"] is True
    assert "error" in found["wrong"]


def test_a_dry_run_that_stops_at_a_condition_asks_it_of_the_engine_that_a_run_asks(run_json, tmp_path):
    asked = {"id": "js", "type": "condition", "condition": {"expression": "[...$.steps.sum.output].length === 2", "then": []}}
    file = write(tmp_path, steps=[calc("sum", "'ab'"), asked, shell("last", "touch ran")])

    stopped = run_json("flow", "execute", file, "--dry-run", "--stop-after", "js")

    assert stopped["resolved"]["resolved"] is True
    assert not (tmp_path / "ran").exists()


def test_a_dry_run_refuses_inputs_as_a_run_does(flow, run):
    assert run("flow", "execute", flow, "--dry-run")[::2] == (3, 'camshaft: inputs: Missing required input: "a"\n')


def test_it_stops_after_a_step_and_no_later_one_runs(flow, run_json, tmp_path):
    came = run_json("flow", "execute", flow, "-i", "a=x", "--stop-after", "between")

    assert (came["status"], came["stoppedAfter"], list(came["steps"])) == ("stopped", "between", ["first", "between"])
    assert not (tmp_path / "inner").exists()


def test_it_stops_inside_a_loop_at_the_first_time(flow, run_json, tmp_path):
    came = run_json("flow", "execute", flow, "-i", "a=x", "--stop-after", "inner")

    assert list(came["steps"]) == ["first", "between", "each[0].inner"]
    assert (tmp_path / "inner").read_text() == "ran\n"


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (calc("a", "1", **{"if": "false"}), "stopped"),
        (shell("a", "exit 1", onError={"strategy": "continue", "retries": 1, "retryDelayMs": 0}), "stopped"),
        (shell("a", "exit 1"), "failed"),
    ],
    ids=["skipped", "failed and goes on", "failed"],
)
def test_it_stops_at_a_step_however_that_came_out(run_json, tmp_path, step, status):
    file = write(tmp_path, steps=[step, shell("b", "echo >> ran")])

    came = run_json("flow", "execute", file, "--stop-after", "a", status=0 if status == "stopped" else 7)

    assert came["status"] == status
    assert not (tmp_path / "ran").exists()


def test_what_runs_beside_the_last_step_is_cancelled(run_json, tmp_path):
    beside = {"id": "p", "type": "parallel", "parallel": {"steps": [shell("slow", "sleep 60; echo >> slow"), calc("quick")]}}

    came = run_json("flow", "execute", write(tmp_path, steps=[beside]), "--stop-after", "quick")

    assert came["status"] == "stopped"
    assert came["steps"]["p.quick"]["status"] == "success"
    assert not (tmp_path / "slow").exists()


def test_a_dry_run_up_to_a_step_runs_what_is_before_it_and_looks_at_it(flow, run_json, tmp_path):
    came = run_json("flow", "execute", flow, "-i", "a=x", "--dry-run", "--stop-after", "last")

    assert came["resolved"]["stepId"] == "last"
    assert came["resolved"]["resolved"] == {"path": "last", "content": "x! "}
    assert statuses(came["resolved"]) == {"$.steps.between.output": "resolved", "$.input.b": "missing"}
    assert (tmp_path / "inner").exists()
    assert not (tmp_path / "last").exists()


def test_a_mistake_in_a_step_that_ran_is_missing_and_not_deferred(run_json, tmp_path):
    file = write(tmp_path, steps=[calc("a", "({x: 1})"), shell("b", "echo {{$.steps.a.output.typo | shell}}")])

    assert statuses(run_json("flow", "execute", file, "--dry-run", "--stop-after", "b")["resolved"]) == {
        "$.steps.a.output.typo": "missing"
    }


def test_a_mock_touches_nothing_and_the_rest_is_calculated(flow, run_json, tmp_path):
    came = run_json("flow", "execute", flow, "-i", "a=x", "--mock")

    assert came["status"] == "completed"
    assert came["steps"]["first"]["output"] == {"_mock": True, "command": "echo ran >> first; echo 'x'"}
    assert came["steps"]["last"]["output"]["_mock"] is True
    assert sorted(each.name for each in tmp_path.iterdir()) == ["main.json"]


def test_a_mock_reaches_the_steps_of_sub_flows_whatever_their_ids(run_json, tmp_path):
    write(tmp_path, "inner.json", key="inner", steps=[shell("first", "echo {{$.input.n | shell}} > inner")])
    call = {"id": "call", "type": "flow", "flow": {"key": "inner", "inputs": {"n": "{{$.input.n}}!"}}}
    file = write(tmp_path, inputs={"n": {"type": "string"}}, steps=[shell("first", "echo outer"), call])

    came = run_json("flow", "execute", file, "-i", "n=x", "--mock")

    assert came["steps"]["call/first"]["output"] == {"_mock": True, "command": "echo 'x!' > inner"}
    assert not (tmp_path / "inner").exists()


def test_a_mock_of_a_flow_of_a_home_has_the_values_of_its_sub_flows_as_well(run_json, tmp_path):
    (tmp_path / "camshaft.toml").touch()
    write(tmp_path / "flows", "inner.json", key="inner", steps=[shell("first", "echo {{$.input.n | shell}}")])
    call = {"id": "call", "type": "flow", "flow": {"key": "inner", "inputs": {"n": 1}}}
    write(tmp_path / "flows", steps=[{"id": "outer", "type": "flow", "flow": {"key": "middle"}}])
    write(tmp_path / "flows", "middle.json", key="middle", steps=[call])

    came = run_json("flow", "execute", "main", "--home", tmp_path, "--mock")

    assert came["steps"]["outer/call/first"]["output"] == {"_mock": True, "command": "echo '1'"}


def test_outputs_from_a_file_stand_in_for_their_steps_and_others_run(flow, run_json, tmp_path):
    (tmp_path / "answers.json").write_text(json.dumps({"first": "given", "each[1].inner": "second"}))

    came = run_json("flow", "execute", flow, "-i", "a=x", "--mock", tmp_path / "answers.json")

    assert came["steps"]["between"]["output"] == "given!"
    assert (came["steps"]["each[0].inner"]["output"], came["steps"]["each[1].inner"]["output"]) == ("1", "second")
    assert not (tmp_path / "first").exists()
    assert (tmp_path / "inner").read_text() == "ran\n"


def test_a_mocked_dry_run_with_a_file_runs_and_touches_nothing(flow, run_json, tmp_path):
    (tmp_path / "answers.json").write_text('{"first": "given"}')

    came = run_json("flow", "execute", flow, "-i", "a=x", "--dry-run", "--mock", tmp_path / "answers.json")

    assert (came["status"], came["steps"]["between"]["output"]) == ("completed", "given!")
    assert not (tmp_path / "inner").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--stop-after", "betwen"), "--stop-after: the flow has no step «betwen» (did you mean «between»?)"),
        (("--mock", "answers.json"), "--mock: the flow has no step «frst» (did you mean «first»?)"),
        (("--mock", "list.json"), "--mock FILE holds an object"),
        (("--dry-run", "--detach"), "--detach needs a key, and a real run"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(flow, run, tmp_path, options, said):
    (tmp_path / "answers.json").write_text('{"frst": 1}')
    (tmp_path / "list.json").write_text("[]")

    status, out, err = run("flow", "execute", flow, "-i", "a=x", *options)

    assert (status, out) == (2, "")
    assert said in err
    assert not (tmp_path / "first").exists()


def test_a_rehearsal_of_a_home_leaves_nothing_in_its_database(run_json, run, tmp_path):
    write(tmp_path / "home", "flows/main.json", steps=[shell("a", "echo 1"), calc("b", "$.steps.a.output")])

    came = run_json("flow", "execute", "main", "--home", tmp_path / "home", "--stop-after", "a")

    assert came["status"] == "stopped"
    assert run("run", "list", "--home", str(tmp_path / "home"), "-o", "json")[:2] == (0, "[]\n")


def test_the_whole_result_goes_to_a_file_and_only_its_place_is_printed(flow, run_json, tmp_path):
    came = run_json("flow", "execute", flow, "-i", "a=x", "--output-file", tmp_path / "result.json")

    assert came["outputFile"] == str(tmp_path / "result.json")
    assert "steps" not in came
    assert json.loads((tmp_path / "result.json").read_text())["steps"]["between"]["output"] == "x!"


def test_an_agent_is_told_one_event_a_line_under_names_that_stay(run, agent, tmp_path):
    again = {"strategy": "retry", "retries": 2, "retryDelayMs": 0}
    steps = [
        shell("a", "test -e tried || { touch tried; exit 1; }; echo ok", onError=again),
        calc("b", "1", **{"if": "false"}),
        shell("c", "exit 3"),
    ]

    events = agent("flow", "execute", write(tmp_path, steps=steps), status=7)

    assert [(event["event"], event.get("stepId")) for event in events] == [
        ("flow:start", None),
        ("step:start", "a"),
        ("step:retry", "a"),
        ("step:retry-success", "a"),
        ("step:complete", "a"),
        ("step:start", "b"),
        ("step:complete", "b"),
        ("step:start", "c"),
        ("step:error", "c"),
        ("flow:error", None),
        ("workflow:result", None),
    ]
    assert (events[0]["flowKey"], events[0]["totalSteps"]) == ("main", 3)
    assert events[6]["status"] == "skipped"
    assert (events[8]["errorCode"], events[-1]["status"]) == ("EXIT_STATUS", "failed")
    assert set(events[-1]["steps"]) == {"a", "b", "c"}


def test_an_agent_is_told_of_rehearsals_and_of_the_file(flow, agent, tmp_path):
    dry = agent("flow", "execute", flow, "-i", "a=x", "--dry-run")
    assert [event["event"] for event in dry] == ["flow:dry-run", "workflow:result"]
    assert (dry[0]["resolvedInputs"], dry[1]["dryRun"]) == ({"a": "x"}, True)

    stopped = agent("flow", "execute", flow, "-i", "a=x", "--stop-after", "first", "--output-file", tmp_path / "out.json")
    assert [event["event"] for event in stopped][-2:] == ["flow:stopped", "workflow:result"]
    assert stopped[-1]["outputFile"] == str(tmp_path / "out.json")
    assert (stopped[-1]["status"], stopped[-1]["stoppedAfter"], "steps" in stopped[-1]) == ("stopped", "first", False)

    looked = agent("flow", "execute", flow, "-i", "a=x", "--dry-run", "--stop-after", "first")
    assert [event["event"] for event in looked] == [
        "flow:start",
        "step:start",
        "step:dry-resolve",
        "flow:stopped",
        "workflow:result",
    ]

    assert agent("flow", "execute", flow, "-i", "a=x", "--mock")[0]["event"] == "flow:mock-start"


def test_a_run_that_is_kept_is_told_to_an_agent_as_well(run_json, agent, tmp_path):
    write(tmp_path / "home", "flows/main.json", steps=[shell("a", "echo 1"), calc("b", "$.steps.a.output")])

    events = agent("flow", "execute", "main", "--home", tmp_path / "home")

    assert [event["event"] for event in events if event["event"].startswith("step")] == [
        "step:start",
        "step:complete",
        "step:start",
        "step:complete",
    ]
    assert [one["run"] for one in run_json("run", "list", "--home", tmp_path / "home")] == [events[-1]["runId"]]


def test_flows_are_validated_by_key_or_file_with_unused_inputs_as_warnings(run, tmp_path):
    home = tmp_path / "home"
    write(
        home,
        "flows/good.json",
        inputs={"used": {"required": False}, "left": {"required": False}},
        steps=[calc("a", "$.input.used")],
    )
    write(home, "flows/deep/flow.json", key="deep", steps=[calc("a", "$.steps.later.output"), calc("later")])

    status, out, err = run("flow", "validate", "good", "--home", home)
    assert (status, out) == (0, "everything loads\n")
    assert "inputs.left: nothing reads this input" in err

    status, out, _ = run("flow", "validate", "deep", "--home", home)
    assert status == 3
    assert "step «later» has not run when «a» starts" in out
    assert run("flow", "validate", "--home", home)[0] == 3
    assert run("flow", "validate", "nowhere", "--home", home)[0] == 4
    assert run("flow", "validate", home / "flows/good.json", "--strict")[0] == 3


def test_an_input_that_anything_may_read_is_not_called_unused(run, tmp_path):
    inputs = {"x": {"required": False}}
    python = {"id": "a", "type": "python", "python": {"module": "m.py"}}
    (tmp_path / "m.py").write_text("def run(dollar):\n    return 1\n")
    for steps in ([calc("a", "Object.keys($.input)")], [calc("a", "data")], [shell("a", "echo {{x | shell}}")], [python]):
        assert run("flow", "validate", write(tmp_path, inputs=inputs, steps=steps))[2] == ""


def test_an_input_that_only_code_reads_is_used_and_one_that_it_does_not_read_is_told(run, tmp_path):
    code = {"id": "a", "type": "code", "code": {"source": "const { x } = $.input; return $.input.y;"}}
    inputs = {name: {"required": False} for name in ("y", "z")}

    said = run("flow", "validate", write(tmp_path, inputs=inputs, steps=[code]))[2]

    assert "inputs.y" not in said


def test_a_flow_is_shown_with_its_inputs_its_kinds_and_what_it_needs(run_json, tmp_path):
    home = tmp_path / "home"
    write(home, "flows/inner.json", key="inner", steps=[calc("a")])
    call = {"url": "http://x.example", "auth": {"type": "bearer", "secret": "API_KEY"}}
    steps = [
        shell("a", "echo {{$.env.REGION | shell}} {{$.input.n | shell}}"),
        {"id": "all", "type": "parallel", "parallel": {"steps": [{"id": "h", "type": "http", "http": call}]}},
        {"id": "f", "type": "flow", "flow": {"key": "inner"}},
        {"id": "g", "type": "flow", "flow": {"key": "{{$.input.n}}"}},
    ]
    write(home, "flows/main.json", inputs={"n": {"type": "string", "default": "x", "description": "which"}}, steps=steps)

    shown = run_json("flow", "show", "main", "--home", home)

    assert shown["declared"] == [{"name": "n", "type": "string", "required": False, "default": "x", "description": "which"}]
    assert shown["stepTypes"] == {"bash": 1, "flow": 2, "http": 1, "parallel": 1}
    assert shown["needs"] == {
        "bash": True,
        "node": False,
        "python": False,
        "actionApi": False,
        "secrets": ["API_KEY"],
        "env": ["REGION"],
        "flows": ["inner"],
        "sources": [],
        "destinations": [],
        "flowsMadeAtRun": True,
    }

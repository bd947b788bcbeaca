"""Values as the One CLI documents them: what leads nowhere is undefined, inputs are fitted, sub-flows are read in both ways."""

import json
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from tests.flows.documented import KINDS, calc, run


def refused(*steps, **given):
    with pytest.raises(DefinitionError) as caught:
        load_flow({"key": "main", "steps": list(steps), **given}, key=None, folder=Path(), kinds=KINDS)
    return [str(problem) for problem in caught.value.problems]


def shell(step_id, command, **section):
    return {"id": step_id, "type": "bash", "bash": {"command": command, **section}}


SKIPPED = calc("gone", **{"if": "false"})


async def test_a_path_that_leads_nowhere_is_left_out_of_objects_and_null_in_lists(tmp_path):
    content = {"kept": 1, "left": "$.steps.gone.output", "list": [1, "$.input.nothing"], "text": "[{{$.steps.gone.output.x}}]"}
    write = {"id": "write", "type": "file-write", "fileWrite": {"path": "out.json", "content": content}}

    ended = await run(tmp_path, SKIPPED, write)

    assert ended.status == "completed"
    assert json.loads((tmp_path / "out.json").read_text()) == {"kept": 1, "list": [1, None], "text": "[]"}


async def test_pipes_write_nothing_for_what_is_not_there_and_json_writes_null(tmp_path):
    ended = await run(
        tmp_path,
        SKIPPED,
        shell(
            "a", "printf '<%s>' {{$.steps.gone.output | shell}} {{$.steps.gone.output | json}} '{{$.steps.gone.output | url}}'"
        ),
    )

    assert ended.output == "<><null><>"


async def test_variables_of_a_command_are_empty_where_their_path_leads_nowhere(tmp_path):
    env = {"PLAIN": "$.input.nothing", "SHELL_FORM": {"shell": "$.input.nothing"}, "FILE": {"json": "$.input.nothing"}}

    ended = await run(tmp_path, shell("a", 'printf \'<%s>\' "$PLAIN" "$SHELL_FORM" "$(cat $FILE)"', env=env))

    assert ended.output == "<><><null>"


@pytest.mark.parametrize(
    "step",
    [
        {"id": "a", "type": "file-read", "fileRead": {"path": "{{$.input.nothing}}"}},
        {"id": "a", "type": "file-write", "fileWrite": {"path": "x", "content": "$.input.nothing"}},
        {"id": "a", "type": "http", "http": {"url": "http://127.0.0.1:9/{{$.input.nothing | url}}"}},
        {"id": "a", "type": "flow", "flow": {"key": "$.input.nothing"}},
    ],
    ids=lambda step: step["type"],
)
async def test_nothing_is_no_file_no_content_no_address_and_no_flow(tmp_path, step):
    ended = await run(tmp_path, step)

    assert ended.status == "failed"
    assert ended.code in {"PATH_MISSING", "TEMPLATE_MISSING"}


def test_q_and_a_pipe_together_are_refused():
    assert "q and a pipe are both given" in refused(shell("a", "echo {{q $.input.x | json}}"))[0]


async def test_the_fields_of_a_sub_flows_last_step_stand_over_its_results(tmp_path):
    inner = {"key": "inner", "steps": [calc("load", "({team: 'acme'})"), calc("sum", "({count: 3, load: 'hides'})")]}

    ended = await run(
        tmp_path,
        {"id": "call", "type": "flow", "flow": {"key": "inner"}},
        calc("look", "[$.steps.call.output.count, $.steps.call.response.sum.output.count, $.steps.call.output.load]"),
        flows=[inner],
    )

    assert ended.output == [3, 3, "hides"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"n": "numbr"}, "did you mean «number»?"),
        ({"n": {"deep": 5}}, "steps[0].outputSchema.n.deep: a field is the name of a type or an object of fields, and this is 5"),
    ],
)
def test_an_output_schema_that_makes_no_sense_is_refused(schema, said):
    assert said in refused(calc("a", outputSchema=schema))[0]


def test_a_field_that_an_output_schema_does_not_declare_is_refused_wherever_it_is_read():
    schema = {"charCount": "number", "quality": {"score": "number"}}
    inside = {"id": "each", "type": "loop", "loop": {"over": [1], "steps": [calc("b", "$.steps.a.output.chars")]}}

    assert "the output of step «a» has no field «chars»" in refused(calc("a", outputSchema=schema), inside)[0]
    assert (
        "no field «scor» (did you mean «score»?)"
        in refused(calc("a", outputSchema=schema), shell("b", "echo {{$.steps.a.output.quality.scor | shell}}"))[0]
    )

"""The bash step: real commands, their ends, and what they leave behind."""

from __future__ import annotations

import pytest

from tests.flows.step_bash.commands import failure


async def test_the_output_is_stdout_without_blanks_around_it(bash):
    output = await bash("echo '  hi  '; echo talk >&2")

    assert output.value == "hi"
    assert output.response == {"stdout": "hi", "stderr": "talk", "exitCode": 0}


async def test_stdout_may_be_json_in_a_code_fence(bash):
    output = await bash({"command": "printf '```json\\n{\"a\": [1, 2.5, null]}\\n```\\n'", "parseJson": True})

    assert output.value == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("printed", ["", "nope", "{", "NaN", '{"a": "\\ud800"}', "[" * 5000])
async def test_stdout_that_is_no_json_fails_and_is_kept(bash, printed):
    error = await failure(bash({"command": "printf %s {{$.text | shell}}", "parseJson": True}, {"text": printed}))

    assert error.code == "BAD_JSON"
    assert error.output["stdout"] == printed


async def test_an_envelope_gives_its_inner_json_and_its_tokens(bash):
    envelope = {
        "type": "result",
        "result": 'Here it is:\n```json\n{"score": 7}\n```\nBye!',
        "total_cost_usd": 0.0125,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7, "output_tokens": 11},
        "modelUsage": {"claude-x": {}},
    }

    output = await bash({"command": "cat $E", "parseEnvelope": True, "env": {"E": {"json": "$.e"}}}, {"e": envelope})

    assert output.value == {"score": 7}
    assert output.usage is not None
    assert (
        output.usage.input_tokens,
        output.usage.output_tokens,
        output.usage.cost_nano_usd,
        output.usage.models,
        output.usage.source,
    ) == (50, 11, 12_500_000, ("claude-x",), "envelope")


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ('{"type": "result", "result": "[1]"}', [1]),
        ('{"bare": true}', {"bare": True}),
        ('talk {"a": 1} talk', {"a": 1}),
        ('"[1, 2]"', [1, 2]),
    ],
)
async def test_an_envelope_is_taken_in_every_shape_that_models_answer_in(bash, printed, value):
    output = await bash({"command": "printf %s {{$.t | shell}}", "parseEnvelope": True}, {"t": printed})

    assert output.value == value


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ('{"type": "result", "result": "sorry"}', "BAD_JSON"),
        ('{"type": "result", "is_error": true, "result": "overloaded"}', "ENVELOPE_ERROR"),
    ],
)
async def test_an_envelope_without_an_answer_fails(bash, printed, code):
    error = await failure(bash({"command": "printf %s {{$.t | shell}}", "parseEnvelope": True}, {"t": printed}))

    assert error.code == code


async def test_an_exit_status_fails_with_the_last_lines_of_stderr_and_keeps_the_output(bash):
    error = await failure(bash("echo partial; echo 'no such deal' >&2; exit 3"))

    assert (error.code, str(error)) == ("EXIT_STATUS", "exit status 3: no such deal")
    assert error.output == {"stdout": "partial", "stderr": "no such deal", "exitCode": 3}


async def test_a_long_stderr_is_cut_in_the_message(bash):
    error = await failure(bash("head -c 100000 /dev/zero | tr '\\0' x >&2; echo END >&2; exit 1"))

    assert str(error).endswith("xEND")
    assert len(str(error)) < 1000


@pytest.mark.parametrize("stream", ["", ">&2"])
async def test_output_without_end_is_cut_off(bash, stream):
    error = await failure(bash(f"yes {stream}", max_output_bytes=100_000))

    assert error.code == "OUTPUT_LIMIT"
    assert error.output["exitCode"] == -9


async def test_output_of_exactly_the_limit_passes(bash):
    output = await bash("head -c 100000 /dev/zero | tr '\\0' x", max_output_bytes=100_000)

    assert len(output.value) == 100_000


async def test_ten_megabytes_arrive_whole(bash):
    output = await bash("head -c 10000000 /dev/zero | tr '\\0' x")

    assert len(output.value) == 10_000_000


async def test_output_that_is_not_utf8_fails_with_its_place(bash):
    error = await failure(bash("printf 'a\\xff'"))

    assert error.code == "OUTPUT_ENCODING"
    assert "byte 1 is 0xff" in str(error)


async def test_stderr_that_is_not_utf8_does_not_matter(bash):
    output = await bash("printf 'a\\xff' >&2; echo ok")

    assert (output.value, output.response["stderr"]) == ("ok", "a\ufffd")


async def test_stdin_is_empty(bash):
    output = await bash("cat; echo end")

    assert output.value == "end"

"""What strangers' values may do to a command: nothing but stand in it as text."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from flows.errors import StepError, TemplateError
from flows.step import Load, Scope
from flows.steps.bash import Bash, BashSettings, BashSpec

HOSTILE = [
    "it's",
    'say "hi"',
    "$(touch canary)",
    "`touch canary`",
    "; touch canary",
    "a\ntouch canary",
    "a\rb",
    "x && touch canary",
    "| touch canary",
    "> canary",
    "\\",
    "$HOME",
    "${HOME}",
    "$.input.secret",
    "{{$.input.secret}}",
    "*",
    "?",
    "[a-z]",
    "{a,b}",
    "~",
    "~root",
    "#",
    "!",
    "-rf",
    "--force",
    "a -rf",
    "\x1b[31m",
    "\u0085",
    "a\tb",
    "(touch canary)",
    "<(touch canary)",
    "'; touch canary; '",
    '"; touch canary; "',
    "EOF\ntouch canary\n",
]
PLAIN = [
    "Acme Corp",
    "42",
    "-",
    "Müller GmbH",
    "日本",
    "a.b@c.de",
    "50%",
    "2026-11-23T09:00:00Z",
    "/srv/in/x.pdf",
    "a_b+c=d",
    "😀 ok",
]


def scope(folder: Path, dollar: Any) -> Scope:
    unused: Any = None
    return Scope({"$": dollar}, "run_1", "step", 1, "key-1", folder, unused, unused, unused)


def load(folder: Path, warn: Any = lambda *_: None) -> Load:
    return Load(folder, lambda _steps, _path: pytest.fail("no body"), frozenset({"$"}), warn)


async def run(folder: Path, section: dict[str, Any] | str, dollar: Any, **options: Any) -> Any:
    kind = Bash(BashSettings(**options))
    spec = BashSpec.model_validate({"command": section} if isinstance(section, str) else section)
    return (await kind.run(kind.prepare(spec, load(folder)), scope(folder, dollar))).value


async def refused(folder: Path, section: dict[str, Any] | str, value: Any) -> str:
    with pytest.raises(StepError) as raised:
        await run(folder, section, {"x": value, "y": "y"})
    assert (raised.value.code, raised.value.retryable) == ("UNSAFE_INTERPOLATION", False)
    return str(raised.value)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "section",
    [
        "printf %s {{$.x | shell}}",
        "printf %s {{q $.x}}",
        'x={{$.x | shell}}; printf %s "$x"',
        {"command": 'printf %s "$X"', "env": {"X": "$.x"}},
        {"command": 'printf %s "$X"', "env": {"X": {"shell": "$.x"}}},
        {"command": 'printf %s "$X"', "env": {"X": "{{$.x}}"}},
        {"command": "cat $X", "env": {"X": {"json": "$.x"}}, "parseJson": True},
    ],
)
async def test_hostile_values_arrive_as_data_by_every_good_way(tmp_path, section, value):
    arrived = await run(tmp_path, section, {"x": value})

    assert arrived.strip() == value.strip()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("command", ["echo {{$.x}}", 'echo "{{$.x}}"', "echo '{{$.x}}'", "$.x", "cat <<EOF\n{{$.x}}\nEOF"])
async def test_a_plain_placeholder_refuses_what_could_change_the_command(tmp_path, command, value):
    said = await refused(tmp_path, command, value)

    assert "$.x" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [each for each in PLAIN if each != "-"])
@pytest.mark.parametrize(
    "command", ["echo {{$.x}}", 'echo "{{$.x}}"', "echo '{{$.x}}'", "echo {{$.x}} | cat", "cat <<EOF\n{{$.x}}\nEOF"]
)
async def test_plain_text_numbers_and_words_pass(tmp_path, command, value):
    assert await run(tmp_path, command, {"x": value}) == value


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (0, "0"), (2.5, "2.5"), (True, "true"), (False, "false"), (None, "")])
async def test_numbers_and_booleans_pass_as_they_are(tmp_path, value, text):
    assert await run(tmp_path, "echo {{$.x}}", {"x": value}) == text


async def test_an_object_does_not_pass_plainly_and_does_as_json_in_quotes(tmp_path):
    value = {"a": [1, "b c"], "d": "x;y $z"}

    await refused(tmp_path, "echo {{$.x}}", value)

    assert await run(tmp_path, {"command": "printf %s '{{$.x | json}}'", "parseJson": True}, {"x": value}) == value


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("NAME={{$.x}} true", "a touch"),
        ("NAME={{$.x}}\ntrue", "a touch canary"),
        ("rm -rf /nowhere/{{$.x}}", "a /etc"),
        ("{{$.x}} canary", "true touch"),
        ("if {{$.x}}; then true; fi", "touch canary"),
        ("true | {{$.x}}", "touch canary"),
        ("timeout {{$.x}} true", "5 touch"),
        ("env A=1 {{$.x}} true", "touch canary"),
        ("echo {{$.x}}{{$.y}}", "a b"),
        ("mv {{$.x}} {{$.y}}", ""),
        ("rm -rf {{$.x}}/*", ""),
        ("grep {{$.x}} file", ""),
        ("echo {{$.x}}>out", "2"),
        ("echo `A={{$.x}} true`", "a b"),
        ("echo $(A={{$.x}} true)", "a touch"),
    ],
)
async def test_blanks_and_nothing_do_not_pass_where_they_would_make_other_commands(tmp_path, command, value):
    await refused(tmp_path, command, value)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "value", "printed"),
    [
        ('echo "{{$.x}}"', "", ""),
        ("echo start {{$.x}}", "", "start"),
        ("echo --n={{$.x}}", -5, "--n=-5"),
        ("echo a/{{$.x}}", "-b", "a/-b"),
        ("echo it\\'s {{$.x}} # don't", "a b", "it's a b"),
        ('echo "it\'s {{$.x}}"', "a b", "it's a b"),
        ('A="{{$.x}}"; echo $A', "a b", "a b"),
        ("echo $(( {{$.x}} + 1 ))", 4, "5"),
        ('echo "$(echo {{$.x}})"', "a b", "a b"),
        ("for i in {{$.x}}; do echo $i; done", "a b", "a\nb"),
        ("cat <<< {{$.x}}", "ab", "ab"),
        ("echo $((1 << {{$.x}}))", 3, "8"),
        ("case {{$.x}} in a) echo yes;; *) echo no;; esac", "a", "yes"),
    ],
)
async def test_plain_values_pass_where_they_change_nothing(tmp_path, command, value, printed):
    assert await run(tmp_path, command, {"x": value}) == printed


@pytest.mark.parametrize(
    "command",
    [
        'echo "{{$.x | shell}}"',
        "echo '{{q $.x}}'",
        "cat <<EOF\n{{q $.x}}\nEOF",
        "echo {{$.x | html}}",
        'echo "{{$.x | json}}"',
        "echo {{$.x | json}}",
    ],
)
async def test_a_pipe_in_the_wrong_quotes_does_not_let_a_command_in(tmp_path, command):
    await refused(tmp_path, command, "a'; $(touch canary); '")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "value", "printed"),
    [
        ('echo "https://x/{{$.x | url}}"', "O'Brien & Co.", "https://x/O'Brien%20%26%20Co."),
        ("echo '<p>{{$.x | html}}</p>'", "a & 'b'", "<p>a &amp; &#x27;b&#x27;</p>"),
        ("echo {{$.x | json}}", "O'Brien & Co.", "O'Brien & Co."),
        ("echo '{{$.x | json}}'", 'say "hi" $HOME', '"say \\"hi\\" $HOME"'),
        ("cat <<'EOF'\n{{$.x | json}}\nEOF", "it's $HOME", '"it\'s $HOME"'),
    ],
)
async def test_other_pipes_pass_where_their_text_is_only_text(tmp_path, command, value, printed):
    assert await run(tmp_path, command, {"x": value}) == printed


async def test_the_refusal_names_the_placeholder_and_the_pipe_to_use(tmp_path):
    bare = await refused(tmp_path, "echo {{ $.x }} there", "a;b")
    quoted = await refused(tmp_path, 'echo "{{$.x}}"', "a;b")

    assert "{{ $.x }}" in bare
    assert "it contains ;" in bare
    assert "write {{$.x | shell}}" in bare
    assert "outside of the command's own quotes, or pass it through env" in quoted


@pytest.mark.parametrize("value", [2, "2", "if", "a=b", "ok"])
async def test_a_piped_word_is_only_a_word_wherever_it_stands(tmp_path, value):
    assert await run(tmp_path, "echo {{$.x | shell}}>out; cat out", {"x": value}) == str(value)


async def test_a_plain_number_in_front_of_a_redirection_is_refused(tmp_path):
    assert "{{$.x}}" in await refused(tmp_path, "echo {{$.x}}>out", 2)


async def test_braces_of_other_programs_stay_as_they_are(tmp_path):
    assert await run(tmp_path, "echo '{{.Names}} {{json .}}' {{$.x}}", {"x": "y"}) == "{{.Names}} {{json .}} y"


async def test_verbatim_puts_everything_in(tmp_path):
    assert await run(tmp_path, "echo {{$.x}}", {"x": "a; echo b"}, interpolation="verbatim") == "a\nb"


def test_validate_points_at_each_plain_placeholder(tmp_path):
    said: list[Any] = []
    spec = BashSpec.model_validate({"command": "echo {{$.a}} {{$.b | shell}} '{{$.c}}'"})

    Bash(BashSettings()).prepare(spec, load(tmp_path, lambda *each: said.append(each)))

    assert [(path, "{{$.a}}" in problem or "{{$.c}}" in problem) for path, problem, _ in said] == [(("command",), True)] * 2
    assert "{{$.a | shell}}" in said[0][2]


def test_validate_is_silent_where_values_are_put_in_verbatim(tmp_path):
    spec = BashSpec.model_validate({"command": "echo {{$.a}}"})

    Bash(BashSettings(interpolation="verbatim")).prepare(spec, load(tmp_path, lambda *_: pytest.fail("it warned")))


TEXTS = st.text(st.sampled_from("ab1 -'\"$`\\;&|<>(){}[]*?~#!\n\t%=/.:é😀\0"), max_size=12) | st.sampled_from(HOSTILE + PLAIN)
COMMANDS = [
    "printf '%s\\n' {{$.x}}",
    "printf '%s\\n' pre{{$.x}}",
    "printf '%s\\n' \"{{$.x}}\"",
    "printf '%s\\n' '{{$.x}}'",
    "printf '%s\\n' {{$.x | json}}",
    "printf '%s\\n' '{{$.x | json}}'",
    "printf '%s\\n' \"{{$.x | url}}\"",
    "printf '%s\\n' '{{$.x | html}}'",
    "printf '%s\\n' \"{{$.x | md}}\"",
    "printf '%s\\n' {{$.x | md}}",
    "printf '%s\\n' \"{{$.x | shell}}\"",
    "printf '%s\\n' '{{$.x | shell}}'",
    "printf '%s\\n' {{$.x | shell}}",
    "A={{$.x}}\nprintf '%s\\n' $A",
    "cat <<END\n{{$.x}}\nEND",
    "cat <<END\n{{$.x | json}}\nEND",
    "cat <<'END'\n{{$.x | html}}\nEND",
    "printf '%s\\n' \"$(printf %s {{$.x}})\"",
    "printf '%s\\n' $'{{$.x | json}}'",
    "printf '%s\\n' `printf %s {{$.x | json}}`",
    "printf '%s\\n' ${A:-{{$.x | json}}}",
]


@given(value=TEXTS, command=st.sampled_from(COMMANDS))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_ever_runs_anything(tmp_path_factory, value, command):
    """The commands that bash itself would run are those of the template, whatever the value: told by its own trace."""
    folder = tmp_path_factory.mktemp("run")
    kind = Bash(BashSettings())
    prepared = kind.prepare(BashSpec.model_validate({"command": command}), load(folder))
    try:
        made = kind._command(prepared, {"$": {"x": value}})
    except (StepError, TemplateError) as error:
        event(error.code)
        return
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    if "\0" in made:
        return  # run_process refuses it: a test of its own
    folder.mkdir()
    traced = subprocess.run(
        ["bash", "-c", f"PS4='+ '; set -x\n{made}"], cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )

    ran = {
        line.lstrip("+").split(maxsplit=1)[0]
        for line in traced.stderr.decode(errors="replace").splitlines()
        if line.startswith("+")
    }
    assert {each for each in ran if not each.startswith("A=")} <= {"printf", "cat", "++"}, made
    assert traced.returncode == 0, (made, traced.stderr)
    assert list(folder.iterdir()) == []

"""Texts with {{ }}: what is filled in, how pipes write it, and what is refused with which place."""

import html
import json
import subprocess
import time
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError, SelectorError, TemplateError
from flows.template import Placeholder, as_text, compile_template

DATA = {
    "name": "Acme",
    "zero": 0,
    "no": False,
    "none": None,
    "empty": "",
    "list": [1, "a", None],
    "object": {"b": 1.0, "a": "ü"},
    "a": {"b": ["x", {"c": "deep"}]},
    "a.b": "whole",
    "n.x": {"y": 1},
    "text": "it's $HOME & `id` \\1 \\g<0> {{name}} $.name",
    "q": "cue",
    "maker": "O'Brien & Co.",
    "first-name": "Ann",
}
NAMES = {"$": DATA, "data": DATA, "input": {"name": "from input", "only": "input"}, "steps": {"load": {"output": 7}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain }} text { }", "plain }} text { }"),
        ("{{name}}", "Acme"),
        ("a {{ name }} b {{name}}", "a Acme b Acme"),
        ("{{$.name}}", "Acme"),
        ("{{$.a.b[1].c}}", "deep"),
        ("{{a.b[0]}}", "x"),
        ("{{a.b}}", "whole"),
        ("{{$['a.b']}}", "whole"),
        ("{{$.list[?@ == 1 || @ == 'a']}}", '[1,"a"]'),
        ("{{$.a.b[?@ == '}}']}}", "[]"),
        ("{{only}}", "input"),
        ("{{steps.load.output}}", "7"),
        ("{{first-name}}", "Ann"),
        ("{{zero}}|{{no}}|{{none}}|{{empty}}", "0|false||"),
        ("{{list}} {{object}}", '[1,"a",null] {"b":1,"a":"ü"}'),
        ("{{text}}", DATA["text"]),
        ("{{'{{'}}name}}", "{{name}}"),
        ('{{"{{name}}"}}', "{{name}}"),
        ("{{{name}}}".replace("{{{", "{ {{").replace("}}}", "}} }"), "{ Acme }"),
        ("{{name | shell}}", "'Acme'"),
        ("{{text|shell}}", "'it'\\''s $HOME & `id` \\1 \\g<0> {{name}} $.name'"),
        ("{{q text}}", "'it'\\''s $HOME & `id` \\1 \\g<0> {{name}} $.name'"),
        ("{{q $.name}}", "'Acme'"),
        ("{{q}} {{q | json}} {{ q }}", 'cue "cue" cue'),
        ("{{maker | shell}}", "'O'\\''Brien & Co.'"),
        ("{{empty | shell}} {{none | shell}}", "'' ''"),
        ("{{list | json | shell}}", "'[1,\"a\",null]'"),
        ("{{name | json}} {{none | json}}", '"Acme" null'),
        ("{{text | url}}", "it's%20%24HOME%20%26%20%60id%60%20%5C1%20%5Cg%3C0%3E%20%7B%7Bname%7D%7D%20%24.name"),
        ("{{text | html}}", html.escape(DATA["text"])),
        ("{{object | html}}", "{&quot;b&quot;:1,&quot;a&quot;:&quot;ü&quot;}"),
    ],
)
def test_a_text_is_filled_in(text, expected):
    assert compile_template(text).render(NAMES) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (1e16, "10000000000000000"),
        (9007199254740993, "9007199254740993"),
        (1234567890123456789, "1234567890123456789"),
        (10**21, "1e+21"),
        (float("nan"), "NaN"),
        (True, "true"),
        ([1.0, [1e21, float("inf")], {"a": 10**400}], '[1,[1e+21,null],{"a":null}]'),
        ({}, "{}"),
        ([], "[]"),
        ({'é\ud800"\n': "\ud800"}, '{"é\\ud800\\"\\n":"\\ud800"}'),
        ({"a": [], "b": {}, "c": [{}]}, '{"a":[],"b":{},"c":[{}]}'),
    ],
)
def test_values_are_written_as_javascript_writes_them_and_whole_numbers_keep_their_digits(value, text):
    assert as_text(value) == text


def test_data_5000_levels_deep_is_written():
    data = []
    for _ in range(5000):
        data = [data]

    assert as_text(data) == "[" * 5001 + "]" * 5001


def test_values_that_hold_each_other_without_end_are_given_up():
    data = [1]
    for _ in range(50):
        data = [data, data]

    with pytest.raises(TemplateError) as caught:
        compile_template("{{data | json}}").render({"$": None, "steps": {}, "data": {"data": data}})

    assert caught.value.code == "TEMPLATE_LIMIT"


@pytest.mark.parametrize(
    "text", ["{{nothing}}", "{{$.nothing}}", "{{a.b.c}}", "{{$.list[9]}}", "{{name.x}}", "{{nothing | json}}", "{{q nothing}}"]
)
def test_a_missing_value_is_an_error_that_names_it(text):
    with pytest.raises(TemplateError, match="has no value") as caught:
        compile_template(f"x {text}").render(NAMES)

    assert caught.value.code == "TEMPLATE_MISSING"
    assert text in str(caught.value)


def test_data_comes_before_input_and_need_not_be_an_object():
    template = compile_template("{{name}}")

    assert template.render({"data": "text", "input": {"name": "i"}}) == "i"
    assert template.render({"data": {"name": "d"}, "input": {"name": "i"}}) == "d"
    assert template.render({"data": {"name": None}, "input": {"name": "i"}}) == ""


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("{{", 0, "not closed"),
        ("a {{name", 2, "not closed"),
        ("a {{name }", 2, "not closed"),
        ("{{}}", 0, "nothing in the"),
        ("{{  }}", 0, "nothing in the"),
        ("{{.Names}}", 2, "begins no path"),
        ("{{#if x}}", 2, "begins no path"),
        ("{{1}}", 2, "begins no path"),
        ("{{a b}}", 4, "cannot stand here"),
        ("{{a + 1}}", 4, "cannot stand here"),
        ("{{a.}}", 4, "a key must follow"),
        ("{{a.0}}", 4, "a number cannot follow a dot"),
        ("{{$a}}", 3, "cannot stand here"),
        ("{{$.a[b]}}", 6, "needs quotes"),
        ("{{$.a[}}", 6, "cannot stand"),
        ("{{a | }}", 6, "a pipe must follow"),
        ("{{a | shel}}", 6, "the pipe shel is not known"),
        ("{{a | shell | nope}}", 14, "the pipe nope is not known"),
        ("{{a || b}}", 5, "a pipe must follow"),
        ("{{'x}}", 2, "the quote is not closed"),
        ("{{'x' y}}", 6, "cannot stand here"),
    ],
)
def test_what_is_no_template_is_refused_where_it_goes_wrong(text, offset, said):
    with pytest.raises(DefinitionError) as caught:
        compile_template(text)

    (problem,) = caught.value.problems
    assert said in problem.problem
    assert problem.offset == offset
    assert problem.code in ("TEMPLATE_SYNTAX", "SELECTOR_SYNTAX")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("docker ps --format '{{.Names}} {{json .}}'", "docker ps --format '{{.Names}} {{json .}}'"),
        (
            "{{#each rows}}{{/each}} {{> part}} {{! said }} {{}} {{ }}",
            "{{#each rows}}{{/each}} {{> part}} {{! said }} {{}} {{ }}",
        ),
        ("{{ two words }} {{range .Items}} {{", "{{ two words }} {{range .Items}} {{"),
        ("{{{$.name}}}", "{Acme}"),
        ('{"a":{"n":{{$.n}}}}', '{"a":{"n":5}}'),
        ("{{ q $.name }}{{q name}}{{input['k x']}}", "'Acme''Acme'K"),
    ],
)
def test_in_a_step_braces_that_no_placeholder_begins_are_text(text, made):
    names = {"$": {"name": "Acme", "n": 5}, "data": {"name": "Acme"}, "input": {"k x": "K"}}

    assert compile_template(text, lenient=True).render(names) == made


@pytest.mark.parametrize(
    "text", ["{{$.a b}}", "{{$.a || 'x'}}", "{{a | shel}}", "{{$.a", "{{a", "{{q $.a | json}}", "{{'x}}", "{{a.}}"]
)
def test_in_a_step_what_is_meant_as_a_placeholder_is_refused_where_it_goes_wrong(text):
    with pytest.raises(DefinitionError):
        compile_template(text, lenient=True)


def test_an_unknown_pipe_is_told_the_near_one():
    with pytest.raises(DefinitionError, match="did you mean «shell»"):
        compile_template("{{a | shel}}")


def test_a_template_knows_its_placeholders():
    template = compile_template("x{{ $.a.b | shell }}y{{q c.d}}{{e}}")

    assert [(each.source, each.bare, each.pipes, each.offset, each.root_first) for each in template.placeholders] == [
        ("{{ $.a.b | shell }}", False, ("shell",), 1, ("$", "a", "b")),
        ("{{q c.d}}", True, ("shell",), 21, ("c", "d")),
        ("{{e}}", True, (), 30, ("e",)),
    ]
    assert not template.plain
    assert compile_template("{{'{{'}}").plain
    assert [type(part) for part in template.parts] == [str, Placeholder, str, Placeholder, Placeholder]


def test_only_plain_placeholders_are_checked_and_a_check_can_refuse():
    seen = []

    compile_template("{{name}} {{text | shell}} {{zero}}").render(
        NAMES, check=lambda text, part: seen.append((text, part.source))
    )

    assert seen == [("Acme", "{{name}}"), ("0", "{{zero}}")]

    def refuse(text, part):
        raise TemplateError(part.source, code="UNSAFE_INTERPOLATION")

    with pytest.raises(TemplateError, match="name"):
        compile_template("{{name}}").render(NAMES, check=refuse)


def test_a_nul_cannot_be_given_to_a_command_nor_half_a_character_to_an_address():
    for text, value in (("{{x | shell}}", "a\0b"), ("{{x | url}}", "\ud800")):
        with pytest.raises(TemplateError) as caught:
            compile_template(text).render({"data": {"x": value}})
        assert caught.value.code == "TEMPLATE_VALUE"


def test_markdown_specials_are_text():
    text = compile_template("{{x | md}}").render({"data": {"x": "# *a* [b](c) <i> `d` 1. x | y_z \\ ~~e~~ ==="}})

    assert text == r"\# \*a\* \[b\]\(c\) \<i\> \`d\` 1\. x \| y\_z \\ \~\~e\~\~ \=\=\="


SHELL_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        SHELL_TEXT | st.sampled_from(["'", "''\"", "-n", "$(id)", "a\nb\n", "*", "~", "\\", "!x", "#"]), min_size=1, max_size=5
    )
)
def test_a_shell_gets_exactly_what_was_piped(values):
    command = compile_template("printf '%s\\0' " + " ".join(f"{{{{x[{number}] | shell}}}}" for number in range(len(values))))

    text = command.render({"data": {"x": values}})

    printed = subprocess.run(["/bin/sh", "-c", text], capture_output=True, check=True).stdout
    assert printed.decode() == "".join(f"{value}\0" for value in values)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_pipes_can_be_undone(value):
    names = {"data": {"x": value}}

    assert json.loads(compile_template("{{x | json}}").render(names)) == value
    assert unquote(compile_template("{{x | url}}").render(names)) == value
    assert html.unescape(compile_template("{{x | html}}").render(names)).replace("\r", "\n") == html.unescape(
        html.escape(value)
    ).replace("\r", "\n")
    assert compile_template("{{x}}").render(names) == value


PIECES = st.sampled_from(
    ["{{", "}}", "{", "}", "a", ".", "$", "|", " ", "shell", "json", "q ", "[0]", "'", '"', "\\", "[?@ == 1]", "é", "\n", "\x00"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "q", "é"]), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20) | st.lists(PIECES, max_size=14).map("".join), JSON)
def test_any_text_is_a_template_or_refused_and_takes_any_data(text, data):
    try:
        template = compile_template(text)
    except DefinitionError as error:
        offsets = [problem.offset for problem in error.problems]
    else:
        offsets = []
        try:
            made = template.render({"$": data, "data": data})
            assert isinstance(made, str)
        except (TemplateError, SelectorError) as error:
            assert str(error)  # noqa: PT017 - either outcome is right

    assert all(0 <= offset <= len(text) for offset in offsets)


def test_a_long_text_is_read_in_linear_time():
    began = time.process_time()

    for text in ("{{a}}" * 20_000, "{{" * 100_000, "}}" * 100_000, "{{'" + "x" * 200_000):
        try:
            compile_template(text)
        except DefinitionError as error:
            assert error.problems  # noqa: PT017 - either outcome is right
    assert time.process_time() - began < 5

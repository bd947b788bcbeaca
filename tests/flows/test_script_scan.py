"""What a script reads, found in its tokens: not in its texts, comments and regular expressions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.script.engine import Reads
from flows.script.scan import scan, unknown_names
from flows.script.tokens import tokens


def found(source, form="body"):
    return [".".join(map(str, reference[1:])) for reference in scan(source, form=form).references]


@pytest.mark.parametrize(
    ("source", "references"),
    [
        ("return $.steps.fetch.output", ["steps.fetch.output"]),
        ("return $?.steps?.fetch?.output?.[0]", ["steps.fetch.output.0"]),
        ("return $['steps'][\"a b\"].output", ["steps.a b.output"]),
        ("return $.steps.fetch.output.map(x => x)", ["steps.fetch.output"]),
        ("return $.steps.fetch.output[key].x", ["steps.fetch.output"]),
        ("return $ . input\n . company", ["input.company"]),
        ("return [...$.input.a, ...$.input.b]", ["input.a", "input.b"]),
        ("return steps.fetch.output + input.n", ["steps.fetch.output", "input.n"]),
        ("return `${$.steps.a.output} $.steps.b ${`${$.steps.c.output}`} $.steps.d`", ["steps.a.output", "steps.c.output"]),
        ("return '$.steps.a' + \"$.steps.b\" // $.steps.c\n/* $.steps.d */", []),
        ("return '\\'' + $.steps.a.output + '$.steps.b'", ["steps.a.output"]),
        ("return /$.steps.a/.test($.steps.b.output)", ["steps.b.output"]),
        ("return /[/'\"]$.steps.a/.test('') / 2 / $.steps.b.output", ["steps.b.output"]),
        ("if (x) /$.steps.a/.test(y); return (1) / $.steps.b.output / 2", ["steps.b.output"]),
        ("return a++ / $.steps.b.output / 2", ["steps.b.output"]),
        ("return items.map($ => $.steps.a)", []),
        ("const { input } = $; return input.x", [""]),
        ("const input = 1; return input.x + $.input.y", ["input.y"]),
        ("const output = 1; return data.x + output", ["x"]),
        ("return { input: 1, steps: 2 }.steps", []),
        ("return x.steps.a + x.$.steps.b", []),
        ("let total\n$.steps.a.output.forEach(add)", ["steps.a.output"]),
        ("if ($.steps.a.output) { return $.steps.b.output }", ["steps.a.output", "steps.b.output"]),
        ("return $.steps.hasOwnProperty('x')", ["steps"]),
        ("return ok ? $.input.a : $.input.b", ["input.a", "input.b"]),
        ("/* open $.steps.a", []),
        ("return `open ${$.steps.a.output", ["steps.a.output"]),
    ],
)
def test_references_are_those_of_the_code(source, references):
    assert found(source) == references


def test_a_module_has_the_dollar_it_makes_of_its_input():
    read = "const $ = JSON.parse(await new Response(process.stdin).text());\n"

    assert found(read + "console.log($.steps.fetch.output, steps.x)", "module") == ["", "steps.fetch.output"]
    assert found("import $ from 'jquery'\n$.steps.fetch", "module") == []
    assert found("const go = $ => $.steps.fetch", "module") == []


def test_a_reference_knows_where_it_stands():
    script = scan("const a = 1;\nreturn $.steps.fetch.output + $.steps.fetch.output", form="body")

    assert dict(script.offsets) == {("$", "steps", "fetch", "output"): 20}


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("return $.steps.a.output + $.input.x", Reads(frozenset({"steps", "input"}), frozenset({"a"}), data=False)),
        ("return $.steps[$.loop.i]", Reads(frozenset({"steps", "loop"}), None, data=False)),
        ("return Object.keys($.steps)", Reads(frozenset({"steps"}), None, data=False)),
        ("return data.x", Reads(frozenset(), frozenset(), data=True)),
        ("return JSON.stringify($)", Reads()),
        ("return $[name]", Reads()),
        ("return eval('$.' + name)", Reads()),
        ("return globalThis['in' + 'put']", Reads()),
        ("return this.input", Reads()),
        ("return (() => {})['constructor']('return input')()", Reads()),
        ("const steps = 1; return steps", Reads(frozenset({"steps"}), None, data=False)),
        ("return arguments[0].input", Reads()),
    ],
)
def test_a_script_is_sent_what_it_can_reach(source, reads):
    assert scan(source, form="body").reads == reads


@pytest.mark.parametrize(
    ("source", "unknown"),
    [
        ("foo + [...$.a]", ["foo"]),
        ("[...$.x].map(y => ({ ...y, z: y.q, m() { return bar } }))", ["bar"]),
        ("typeof zzz === 'undefined' ? [...$.a] : zzz", []),
        ("(() => { let a = 1, b\n let c; for (const [k, v] of Object.entries($)) a += k + v; return a + b + c })()", []),
        ("(() => { const { a, b: [c], ...d } = $, e = 1; return [a, c, d, e] })()", []),
        ("(function f(x = y, { z }, [w]) { return f + x + z + w })()", []),
        ("(() => { try { throw 1 } catch (e) { return e } })()", []),
        ("(() => { class P { #q = 1; get r() { return this.#q } } return new P().r })()", []),
        ("(() => { out: for (;;) break out })()", []),
        ("$.x instanceof Foo", ["Foo"]),
        ("`${nope}`", ["nope"]),
        ("({ a: b, c })", ["b", "c"]),
        ("new Date(Date.now())", []),
        ("fetch('x')", ["fetch"]),
        ("setTimeout(() => {}, 1)", ["setTimeout"]),
    ],
)
def test_names_that_nothing_can_stand_for_are_found(source, unknown):
    assert [token.text for token in unknown_names(source)] == unknown


@given(st.text(alphabet="abc$.steps 'input\"`{}()[]/\\*\n=>,;?:=0+-letconstfunction", max_size=80))
def test_any_text_is_taken_apart_and_nothing_of_it_twice(source):
    at = 0
    for token in tokens(source):
        assert source[token.start : token.start + len(token.text)] == token.text or token.text == "`"
        assert token.start >= at
        at = token.start + 1
    scan(source, form="body")
    list(unknown_names(source))


def test_a_long_text_takes_no_stack():
    for source in ("(" * 100_000, "`${" * 50_000, "/" * 100_000, "a." * 100_000, "'" * 100_000):
        scan(source, form="body")


def test_a_long_module_without_semicolons_is_scanned_in_linear_work():
    lines = [f"const v{number} = f{number}(g{number}($.steps.s{number}.output))" for number in range(5000)]

    script = scan("\n".join(lines), form="body")

    assert len(script.references) == 5000

"""What is an address of a database, a name in it, and a parameter of a statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.connectors.database import PostgresqlServer, SqliteFile, address_of, quoted, quoted_table
from flows.connectors.statement import read_statement
from flows.errors import StepError


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\ud800", "x" * 64, "é" * 32, None, 5])
def test_what_can_be_no_name_is_refused(name):
    with pytest.raises(StepError) as raised:
        quoted(name)

    assert (raised.value.code, raised.value.retryable) == ("DATABASE_NAME", False)


def test_a_table_may_stand_in_a_schema():
    assert quoted_table('sales.de"als') == '"sales"."de""als"'


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("sqlite:///rows.db", SqliteFile(Path("/flows/x/rows.db"))),
        ("sqlite:////srv/my%20rows.db", SqliteFile(Path("/srv/my rows.db"))),
        ("postgresql://u:p@db/x\n", PostgresqlServer("postgresql://u:p@db/x")),
        ("postgres://db/x", PostgresqlServer("postgres://db/x")),
    ],
)
def test_an_address_is_read(url, address):
    assert address_of(url, Path("/flows/x")) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cret",
        "mysql://u:s3cret@db/x",
        "sqlite://",
        "sqlite://s3cret/x",
        "postgresql://u:s3cret@db:port/x",
        "postgresql://[s3cret/x",
        "a\0b",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url):
    with pytest.raises(StepError) as raised:
        address_of(url, Path())

    assert (raised.value.code, raised.value.retryable) == ("DATABASE_URL", False)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "names", "postgresql"),
    [
        ("SELECT :a, :b_2, :a", ("a", "b_2"), "SELECT %(a)s, %(b_2)s, %(a)s"),
        ("SELECT x::text, :a::int", ("a",), "SELECT x::text, %(a)s::int"),
        (
            "SELECT ':a', \":b\", 'it''s :c' -- :d\n, :e /* :f */",
            ("e",),
            "SELECT ':a', \":b\", 'it''s :c' -- :d\n, %(e)s /* :f */",
        ),
        ("SELECT E'\\':a', $$ :b $$, $t$ :c $$ $t$", (), "SELECT E'\\':a', $$ :b $$, $t$ :c $$ $t$"),
        ("SELECT a[1:n], 'x' LIKE '%y', 5 % 2", (), "SELECT a[1:n], 'x' LIKE '%%y', 5 %% 2"),
        ("SELECT 'open :a", (), "SELECT 'open :a"),
    ],
)
def test_parameters_are_found_where_they_are_ones(sql, names, postgresql):
    statement = read_statement(sql)

    assert (statement.names, statement.postgresql) == (names, postgresql)


@pytest.mark.parametrize(
    ("sql", "foreign"), [("SELECT $1", "$1"), ("SELECT @a", "@a"), ("SELECT %(a)s", "%(a)s"), ("SELECT '$1 @a', a @> b", None)]
)
def test_placeholders_of_another_style_are_seen(sql, foreign):
    assert read_statement(sql).foreign == foreign

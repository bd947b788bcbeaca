"""Tokens: the quick way reads what the careful way reads."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from flows.expression.lexer import Lexer

WRITTEN = st.lists(
    st.sampled_from(
        [
            *"$_az09.,:;()[]{}'\"\\/`=!<>&|?+-*%^~@# \t\n\r",
            "é",
            "\u200c",
            "\u2028",
            "\ud83d",
            "===",
            "...",
            "//",
            "/*",
            "*/",
            "&&=",
            "'a'",
        ]
    )
    | st.characters(),
    max_size=12,
).map("".join)


@settings(max_examples=500)
@given(WRITTEN)
def test_each_token_is_the_one_that_the_careful_way_reads(source):
    quick, careful = Lexer(source), Lexer(source)
    while True:
        try:
            expected = careful.carefully()
        except DefinitionError as refused:
            with pytest.raises(DefinitionError, match=re.escape(str(refused))):
                quick.next()
            return

        assert quick.next() == expected
        assert quick.position == careful.position
        if expected.kind == "end":
            return

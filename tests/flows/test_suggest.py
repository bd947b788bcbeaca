"""«Did you mean», and what people are told of pydantic's errors."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flows.suggest import did_you_mean, shown, validation_problems


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("fitler", ["filter", "flow"], "did you mean «filter»?"),
        ("input_mapping", ["inputMapping"], "did you mean «inputMapping»?"),
        ("InputMapping", ["inputMapping"], "did you mean «inputMapping»?"),
        ("xyz", ["filter", "flow"], None),
        ("", ["a"], None),
        ("a" * 10_000, ["filter"], None),
    ],
)
def test_the_nearest_known_word_is_named(word, known, said):
    assert did_you_mean(word, known) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (True, "true"),
        ("a", "«a»"),
        (1.5, "1.5"),
        (1.0, "1"),
        ({}, "an object"),
        ([], "a list"),
        (10**400, "a very large number"),
    ],
)
def test_values_are_shown_in_the_words_of_json(value, said):
    assert shown(value) == said


class Auth(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["bearer", "hmac"]
    max_age_s: int = Field(60, alias="maxAge", gt=0)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid")
    path: str = Field(min_length=1)
    methods: list[str] = []
    auth: Auth | None = None
    retries: int | str | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None

    @field_validator("path")
    @classmethod
    def _begins_with_a_slash(cls, path):
        if not path.startswith("/"):
            raise ValueError("path begins with /")
        return path


def told(document, known=()):
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate(document)
    return [
        (problem.path, problem.problem, problem.hint) for problem in validation_problems(caught.value, known, document=document)
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, [(("path",), "path is missing", None)]),
        ({"path": 5}, [(("path",), "path is 5, and must be text", None)]),
        ({"path": ""}, [(("path",), "path is empty", None)]),
        ({"path": "x"}, [(("path",), "path begins with /", None)]),
        ({"path": "/", "metods": []}, [(("metods",), "metods is not known here", "did you mean «methods»?")]),
        ({"path": "/", "zzz": []}, [(("zzz",), "zzz is not known here", "known are auth, methods, path")]),
        ({"path": "/", "methods": ["GET", None]}, [(("methods", 1), "element 1 is null, and must be text", None)]),
        ({"path": "/", "auth": []}, [(("auth",), "auth is a list, and must be an object", None)]),
        (
            {"path": "/", "auth": {"type": "hmaac"}},
            [(("auth", "type"), "type is «hmaac»", "did you mean «hmac»?; allowed are bearer, hmac")],
        ),
        (
            {"path": "/", "auth": {"type": "hmac", "maxAge": 0}},
            [(("auth", "maxAge"), "maxAge is 0, and must be more than 0", None)],
        ),
        ({"path": "/", "retries": []}, [(("retries",), "retries is a list, and must be a whole number or text", None)]),
        ({"path": "/", "pet": {"kind": "cat"}}, [(("pet", "lives"), "lives is missing", None)]),
        (
            {"path": "/", "pet": {"kind": "dog", "tricks": [1]}},
            [(("pet", "tricks", 0), "element 0 is 1, and must be text", None)],
        ),
        ({"path": "/", "pet": {"kind": "cow"}}, [(("pet", "kind"), "kind is «cow»", "allowed are cat, dog")]),
        ({"path": "/", "pet": {}}, [(("pet", "kind"), "kind is missing", None)]),
        ([], [((), "the whole is a list, and must be an object", None)]),
    ],
)
def test_an_error_is_told_at_its_place_and_without_jargon(document, expected):
    assert told(document, ("path", "methods", "auth")) == expected


def test_what_is_known_can_differ_from_object_to_object():
    document = {"path": "/", "x": 1, "auth": {"type": "hmac", "maxage": 5}}

    problems = told(document, {(): ("path",), ("auth",): ("type", "maxAge")})

    assert (("auth", "maxage"), "maxage is not known here", "did you mean «maxAge»?") in problems
    assert (("x",), "x is not known here", "known are path") in problems

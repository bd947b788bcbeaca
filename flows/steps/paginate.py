"""`paginate`: an action called again as long as its answer names a next page; the results of all pages together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load, Output, Scope
from flows.steps.action import Acting, ActionSpec, call_of, compile_action
from flows.steps.action_api import ActionApi, ActionSettings
from flows.steps.key_path import keys_of, put_at, value_at

MAX_RESULTS = 100_000  # all of them stand in one row
_TOKEN_PLACES = ("queryParams", "pathVars", "data", "headers")


class PaginateSpec(BaseModel):
    """The `paginate` section of a step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    action: ActionSpec
    page_token_field: str = Field(alias="pageTokenField", min_length=1, description="where an answer names the next page")
    results_field: str = Field(alias="resultsField", min_length=1, description="where an answer has its results: a list")
    input_token_param: str = Field(alias="inputTokenParam", min_length=1, description="where the action takes it")
    max_pages: int = Field(default=10, alias="maxPages", ge=1, description="pages behind these are left out")


@dataclass(frozen=True, slots=True)
class Paging:
    """A `paginate` section, compiled. Paths are dotted keys, `data[0].id` for an element."""

    action: Acting
    token_at: tuple[str, ...]
    results_at: tuple[str, ...]
    token_to: tuple[str, ...]
    max_pages: int


class Paginate:
    name: ClassVar[str] = "paginate"
    section: ClassVar[str] = "paginate"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = ActionSettings
    Spec: ClassVar[type[BaseModel]] = PaginateSpec

    def __init__(self, settings: ActionSettings) -> None:
        self._api = ActionApi(settings)

    def prepare(self, spec: PaginateSpec, load: Load) -> Paging:  # noqa: ARG002 - the seam's signature
        problems: list[Problem] = []
        token_to = tuple(spec.input_token_param.split("."))
        if token_to[0] not in _TOKEN_PLACES or len(token_to) < 2 or not all(token_to):
            hint = f"a name in one of {', '.join(_TOKEN_PLACES)}: queryParams.pageToken"
            problems.append(Problem(("inputTokenParam",), f"an action takes nothing at «{spec.input_token_param}»", hint))
        try:
            action = compile_action(spec.action)
        except DefinitionError as error:
            problems.extend(error.under("action").problems)
        if problems:
            raise DefinitionError(*problems)
        return Paging(action, keys_of(spec.page_token_field), keys_of(spec.results_field), token_to, spec.max_pages)

    async def run(self, prepared: Paging, scope: Scope) -> Output:
        results: list[Any] = []
        pages, token = 0, None
        while pages < prepared.max_pages and (pages == 0 or token not in (None, "")):
            made = prepared.action.made(scope.names)
            if pages:
                put_at(made, prepared.token_to, token)
            answer = await self._api.call(call_of(made), scope.secret)
            pages += 1
            found = value_at(answer, prepared.results_at)
            results += found if isinstance(found, list) else []
            if len(results) > MAX_RESULTS:
                raise StepError(f"more than {MAX_RESULTS:,} results", code="LOOP_LIMIT", retryable=False)
            token = value_at(answer, prepared.token_at)
        return Output(results, {"pages": pages, "totalResults": len(results), "results": results})

    async def close(self) -> None:
        await self._api.close()

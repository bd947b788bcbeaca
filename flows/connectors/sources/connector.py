"""The seam of sources: what a connector is given at load and at run, and the rows it gives back in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from flows.step import Load


@dataclass(slots=True)
class Reading:
    """One attempt to read a source. The connector writes into `facts` what people may want to know of it."""

    names: Mapping[str, Any]  # as in Scope
    folder: Path
    secret: Callable[[str], str]
    idempotency_key: str
    wanted: int | None = None  # so many rows are enough; None: nobody can say before they are looked at
    facts: dict[str, Any] = field(default_factory=dict)  # joins the step's response
    cut_by: str | None = None  # the connector stopped before the source's end, because the definition says so: `maxPages`


class Connector(Protocol):
    """One kind of source: one file in flows/connectors/sources and one line in CONNECTORS. One instance serves all steps."""

    section: ClassVar[str]  # of the configuration: "connectors.airtable"
    Settings: ClassVar[type[BaseModel]]
    Query: ClassVar[type[BaseModel]]  # the step's `query`

    def prepare(self, query: Any, source_id: str | None, load: Load) -> Any:
        """Check a Query and compile it. Raises DefinitionError: places in the query begin with "query". Given to read().

        What it returns may have `secrets`, the names of those it asks for, and `references`, as for a kind of step.
        """
        ...

    def read(self, prepared: Any, reading: Reading) -> AsyncGenerator[list[Any], None]:
        """Rows in batches, the next one read when it is asked for. Raises StepError. Can be closed or cancelled at any time."""
        ...

    async def close(self) -> None:
        """Let go of what is shared between attempts."""
        ...

"""`output`: what a flow has made is written somewhere else: a file, a database, a hook, a mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from flows.connectors.destinations import DESTINATIONS, destination_class
from flows.connectors.destinations.spec import DestinationSpec
from flows.connectors.settings import ConnectorSettings
from flows.errors import DefinitionError
from flows.step import Load, Output, Scope
from flows.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from flows.connectors.destinations.destination import Destination


@dataclass(frozen=True, slots=True)
class Writing:
    """An `output` section, compiled by its destination."""

    destination: str
    prepared: Any


class OutputKind:
    """Each destination has its own fields and settings; it is loaded when the first flow names it."""

    name: ClassVar[str] = "output"
    section: ClassVar[str] = "output"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = ConnectorSettings
    Spec: ClassVar[type[BaseModel]] = DestinationSpec

    def __init__(self, settings: ConnectorSettings) -> None:
        self.settings = settings
        self._made: dict[str, Destination] = {}

    def spec_of(self, section: Any) -> type[BaseModel]:
        """The fields of the destination that a section names. Raises DefinitionError where there is none of that name."""
        named = section.get("destination") if isinstance(section, dict) else None
        if not isinstance(named, str) or not named:
            return DestinationSpec  # which tells what is wrong
        if named not in DESTINATIONS:
            hint = did_you_mean(named, DESTINATIONS) or f"known are {', '.join(sorted(DESTINATIONS))}"
            raise DefinitionError.at(("destination",), f"{shown(named)} is no destination", hint)
        found: type[BaseModel] = destination_class(named).Spec
        return found

    @staticmethod
    def specs() -> tuple[str, dict[str, type[BaseModel]]]:
        return "destination", {name: destination_class(name).Spec for name in DESTINATIONS}

    def prepare(self, spec: DestinationSpec, load: Load) -> Writing:
        return Writing(spec.destination, self._of(spec.destination).prepare(spec, load))

    async def run(self, prepared: Writing, scope: Scope) -> Output:
        return Output(await self._of(prepared.destination).write(prepared.prepared, scope))

    def _of(self, name: str) -> Destination:
        found = self._made.get(name)
        if found is None:
            kind = destination_class(name)
            made: Destination = kind(self.settings.of(kind.section, kind.Settings))
            found = self._made.setdefault(name, made)  # definitions are loaded in a thread: both get the same one
        return found

    async def close(self) -> None:
        made, self._made = self._made, {}
        for each in made.values():
            await each.close()

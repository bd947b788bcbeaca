"""A flow in a file that stands in no home: its sub-flows are looked up beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from daemon.home.crosscheck import check_flows
from daemon.home.read import read_file
from daemon.home.scan import flow_name, flows_in
from daemon.home.whole import Kinds
from flows.dialects import load_flow
from flows.document import locate
from flows.errors import DefinitionError, StepError
from flows.flow import Flow


class FlowsBeside(Mapping[str, Flow]):
    """The flow in a file, and by their keys the flows beside it; read when they are asked for.

    Raises DefinitionError at once where the file, or a sub-flow that it names, is refused or not there.
    """

    def __init__(self, file: Path, kinds: Kinds) -> None:
        self._kinds = kinds
        self._folders = [file.absolute().parent]
        if file.stem == "flow":  # flows/<key>/flow.json: its neighbours stand one folder up
            self._folders.append(file.absolute().parent.parent)
        self.first = self._load(file)
        self._known: dict[str, Flow] = {self.first.key: self.first}
        self._check(file)

    def __getitem__(self, key: str) -> Flow:
        if key not in self._known:
            self._known[key] = self._found(key)
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._known, *(flow_name(file) for file in self._files()))))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _check(self, file: Path) -> None:
        """Load every sub-flow that is named by a literal, also those of sub-flows."""
        pending = list(self.first.subflows)
        while pending:
            key = pending.pop()
            if key in self._known:
                continue
            try:
                self._known[key] = self._read(key)
            except KeyError:
                continue  # told below, in its place
            pending += self._known[key].subflows
        _, found = check_flows(self._known)
        if found:
            document = read_file(file)
            raise DefinitionError(
                *(
                    locate(problem, document, str(file)) if key == self.first.key else locate(problem, None, f"flow {key}")
                    for key, problem in found
                )
            )

    def _found(self, key: str) -> Flow:
        try:
            return self._read(key)
        except DefinitionError as error:  # a key that was computed: the run is under way
            raise StepError(f"the flow «{key}» is refused: {error}", code="FLOW_REFUSED", retryable=False) from error

    def _read(self, key: str) -> Flow:
        named = [file for file in self._files() if flow_name(file) == key]
        if named:
            return self._load(named[0])
        for file in self._files():  # a file's name need not be its flow's key
            if _key_in(file) == key:
                return self._load(file)
        raise KeyError(key)

    def _files(self) -> Iterator[Path]:
        for folder in self._folders:
            yield from flows_in(folder)

    def _load(self, file: Path) -> Flow:
        document = read_file(file)
        try:
            return load_flow(document.value, key=flow_name(file), folder=file.absolute().parent, kinds=self._kinds)
        except DefinitionError as error:
            raise DefinitionError(*(locate(problem, document, str(file)) for problem in error.problems)) from error


def _key_in(file: Path) -> str | None:
    try:
        value = read_file(file).value
    except DefinitionError:
        return None
    return value.get("key") if isinstance(value, dict) and ("steps" in value or "nodes" in value) else None

"""What a person needs to try a trigger: a hook's URL and a curl line that fires it, a schedule's next times."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from flows.flow import Flow
from triggers.sources.webhook_path import Parameter, parts_of
from triggers.trigger import Trigger

NEXT_TIMES = 3
HOOKS = "/hooks"
_PLACE = re.compile(r"\$\.body((?:\.[A-Za-z_]\w*)+)", re.ASCII)
_QUERY = re.compile(r"\$\.query\.([A-Za-z_]\w*)", re.ASCII)
_EQUALS = re.compile(r"\$\.body((?:\.[A-Za-z_]\w*)+)\s*===?\s*('[^'\\]*'|\"[^\"\\]*\"|-?\d+(?:\.\d+)?|true|false)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Advice:
    """`base_url` is asked each time: a port 0 is known only when it is bound."""

    base_url: Callable[[], str]

    def of(self, trigger: Trigger, flow: Flow | None = None) -> dict[str, Any]:
        """A hook's `url` and `curl`; nothing for other triggers. With the flow, sample values are of the types it declares."""
        if trigger.type != "webhook":
            return {}
        hooks = self.base_url().rstrip("/") + HOOKS
        return {"url": hooks + trigger.spec.path, "curl": curl_line(hooks + sample_path(trigger.spec.path), trigger, flow)}

    def next_times(self, trigger: Trigger, now: float) -> list[str]:
        """The next three slots of a schedule, as UTC instants; nothing for other triggers."""
        if trigger.type != "schedule":
            return []
        times = islice(trigger.spec.cron.all_after(datetime.fromtimestamp(now, UTC)), NEXT_TIMES)
        return [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times]


def curl_line(url: str, trigger: Trigger, flow: Flow | None = None) -> str:
    """A line for a shell that posts a body which the filter and the mapping of most triggers take."""
    method = next(iter(trigger.spec.methods), "POST") if "POST" not in trigger.spec.methods else "POST"
    if method == "GET":
        return _get_line(url, trigger.definition)
    types = {name: each.type for name, each in flow.inputs.declared.items()} if flow is not None else {}
    body = json.dumps(sample_body(trigger.definition, types))
    auth = trigger.definition.get("trigger", {}).get("auth")
    parts = [
        "curl",
        "-sS",
        *([] if method == "POST" else ["-X", method]),
        shlex.quote(url),
        "-H",
        "'content-type: application/json'",
    ]
    if not auth:
        return " ".join((*parts, "-d", shlex.quote(body)))
    secret = _secret_words(auth)
    if auth.get("type") == "github":
        auth = {"type": "hmac", "header": "x-hub-signature-256"}
    if auth.get("type") == "bearer":
        return " ".join((*parts, "-H", f'"authorization: Bearer {secret}"', "-d", shlex.quote(body)))
    if auth.get("type") == "hmac" and not auth.get("timestamp") and auth.get("signed") in {None, "{body}"}:
        algorithm = auth.get("algorithm", "sha256")
        prefix = auth.get("prefix", f"{algorithm}=")
        digest = f'printf %s "$BODY" | openssl dgst -{algorithm} -hmac "{secret}"'
        digest += " -binary | base64 -w0" if auth.get("encoding") == "base64" else " -r | cut -d' ' -f1"
        header = f'"{auth.get("header", "x-signature")}: {prefix}$({digest})"'
        return f"BODY={shlex.quote(body)}; " + " ".join((*parts, "-H", header, "-d", '"$BODY"'))
    return " ".join((*parts, "-d", shlex.quote(body))) + f"  # and what {auth.get('type')} signs"


def _get_line(url: str, definition: Mapping[str, Any]) -> str:
    """A hook for GET is fired by its query."""
    names = dict.fromkeys(found[1] for found in _QUERY.finditer(json.dumps(definition)))
    line = f"curl -sS {shlex.quote(url + ('?' + urlencode({name: f'a {name}' for name in names}) if names else ''))}"
    auth = definition.get("trigger", {}).get("auth")
    if not auth:
        return line
    if auth.get("type") == "bearer":
        return f'{line} -H "authorization: Bearer {_secret_words(auth)}"'
    return f"{line}  # and what {auth.get('type')} signs"


def sample_path(path: str) -> str:
    """A path that this one fits: `/orders/:id` → `/orders/42`."""
    return "".join(f"/{_sample_part(part)}" for part in parts_of(path))


def _sample_part(part: str | Parameter) -> str:
    if isinstance(part, str):
        return quote(part, safe=":*@!$&'()+,;=~")
    if part.rest:
        return "a/b.txt"
    return "42" if re.search(r"(id|number|no|nr)$", part.name, re.IGNORECASE) else f"a-{part.name}"


def sample_body(definition: Mapping[str, Any], types: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A body with the fields that the mapping reads and the values that the filter asks for, where both are plain."""
    body: dict[str, Any] = {}
    mapped = definition.get("inputMapping") or definition.get("inputs") or {}
    for name, form in mapped.items():
        for place in _PLACE.finditer(json.dumps(form)):
            _put(body, place[1], _sample(place[1].rpartition(".")[2], (types or {}).get(name, "any")))
    section = definition.get("trigger", {})
    written = section.get("filter") or section.get("if") or section.get("when") or definition.get("filter") or ""
    for equality in _EQUALS.finditer(written if isinstance(written, str) else ""):
        literal = equality[2]
        _put(body, equality[1], literal[1:-1] if literal[0] in "'\"" else json.loads(literal))
    return body


def _sample(name: str, type_: str) -> Any:
    samples: dict[str, Any] = {"number": 1.5, "integer": 1, "boolean": True, "object": {"a": 1}, "array": [{"a": 1}]}
    text = "ada@example.com" if "mail" in name.lower() else f"a {name}"
    return samples.get(type_, text)


def _put(body: dict[str, Any], place: str, value: Any) -> None:
    *folders, name = place.strip(".").split(".")
    for folder in folders:
        inner = body.setdefault(folder, {})
        if not isinstance(inner, dict):
            inner = body[folder] = {}
        body = inner
    body[name] = value


def _secret_words(auth: Mapping[str, Any]) -> str:
    """How a shell gets the secret: its variable, its file, or a word to replace."""
    refs = auth.get("secret")
    ref = refs[0] if isinstance(refs, list) and refs else refs
    if isinstance(ref, dict) and "env" in ref:
        return f"${ref['env']}"
    if isinstance(ref, dict) and "file" in ref:
        return f"$(cat {shlex.quote(ref['file'])})"
    return "$SECRET"

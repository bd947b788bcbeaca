"""JSON that tools and models print: read strictly, out of code fences and envelopes, and written as JavaScript writes it."""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard

import orjson

from flows.errors import StepError
from flows.usage import Usage

# What JavaScript's trim() takes away: Python's strip() also takes the ASCII separators and NEL.
BLANKS = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
)
MAX_TOKENS, MAX_COST_USD = 10**12, 1e6  # of one call: what is beyond is no count, and sums of them must fit into 64 bits
SHOWN_CHARACTERS = 200  # of a text that is no JSON, in an error message
_FENCE_OPENS = re.compile(r"```\w*[^\S\n]*\n")


def parse_json(text: str, *, what: str) -> Any:
    """The value of `text` with outer code fences taken off. Raises StepError BAD_JSON; `what` names the text in it."""
    body = strip_fences(text)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        shown = body[:SHOWN_CHARACTERS] + ("…" if len(body) > SHOWN_CHARACTERS else "")
        said = f"{what} is not JSON: {error}; it begins: {shown}" if body else f"{what} is empty, and must be JSON"
        raise StepError(said, code="BAD_JSON") from error


def strip_fences(text: str) -> str:
    """Without blanks around it, and without a code fence when one encloses the whole."""
    body = text.strip(BLANKS)
    opening = _FENCE_OPENS.match(body)
    if opening is None or not body.endswith("```") or len(body) < opening.end() + 3:
        return body
    inner = body[opening.end() : -3]
    if inner.strip(BLANKS) and "\n" not in inner[len(inner.rstrip(BLANKS)) :]:
        return body  # the closing fence is not on a line of its own
    return inner.strip(BLANKS)


def unwrap_envelope(stdout: str) -> tuple[Any, Usage | None]:
    """The JSON that a model answered inside `claude --print --output-format json`, and the tokens the envelope names.

    Also takes a bare answer, with fences or talk around the JSON, and JSON that is no envelope. Raises StepError BAD_JSON,
    and ENVELOPE_ERROR where the envelope itself says that the call failed.
    """
    try:
        envelope: Any = orjson.loads(stdout.strip(BLANKS))
    except orjson.JSONDecodeError:
        envelope = stdout
    if isinstance(envelope, str):
        return parse_json(_json_span(envelope), what="the answer"), None
    if not (isinstance(envelope, dict) and envelope.get("type") == "result" and isinstance(envelope.get("result"), str)):
        return envelope, None
    usage = _usage(envelope)
    if envelope.get("is_error") is True:
        said = f"the envelope says the call failed: {envelope['result'][:SHOWN_CHARACTERS]}"
        raise StepError(said, code="ENVELOPE_ERROR", usage=usage)
    try:
        return parse_json(_json_span(envelope["result"]), what="the answer in the envelope"), usage
    except StepError as error:
        error.usage = usage  # an answer that cannot be read was paid for all the same
        raise


def envelope_usage(stdout: bytes) -> Usage | None:
    """The tokens that an envelope names, whatever else became of the command. None: it is no envelope, or names none."""
    try:
        envelope = orjson.loads(stdout.strip())
    except orjson.JSONDecodeError:
        return None
    return _usage(envelope) if isinstance(envelope, dict) and envelope.get("type") == "result" else None


def _json_span(text: str) -> str:
    """From the first bracket to the last: models talk before and after."""
    body = strip_fences(text)
    starts = [at for at in (body.find("{"), body.find("[")) if at >= 0]
    end = max(body.rfind("}"), body.rfind("]"))
    return body[min(starts) : end + 1] if starts and end > min(starts) else body


def _usage(envelope: dict[str, Any]) -> Usage | None:
    """Input counts what was sent, from a cache or not. What the envelope does not say stays unknown."""
    said = envelope.get("usage")
    if not isinstance(said, dict):
        return None
    sent = [said.get(name) for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")]
    cost, models = envelope.get("total_cost_usd"), envelope.get("modelUsage")
    return Usage(
        input_tokens=sum(count for count in sent if _is_count(count)) if _is_count(sent[0]) else None,
        output_tokens=said["output_tokens"] if _is_count(said.get("output_tokens")) else None,
        cost_nano_usd=round(cost * 1e9) if _is_number(cost) and 0 <= cost <= MAX_COST_USD else None,
        models=tuple(models) if isinstance(models, dict) else (),
        source="envelope",
    )


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """As JSON.stringify writes it; half characters are escaped, so the text can always be encoded."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(_plain(value), ensure_ascii=False, indent=indent, separators=separators)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(_plain(value), indent=indent, separators=separators)
    return text


def _plain(value: Any) -> Any:
    """1.0 is 1, and what JSON has no number for is null."""
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value

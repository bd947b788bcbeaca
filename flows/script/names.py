"""The names that a script may read without declaring them, and those of node that it has not."""

from __future__ import annotations

from typing import Final

from flows.expression.grammar import RESERVED

# fmt: off
OURS: Final = frozenset(
    [
        "$", "input", "steps", "loop", "env", "data", "output", "contains", "length", "isEmpty", "console", "structuredClone",
        "Buffer", "URL", "URLSearchParams", "TextEncoder", "TextDecoder", "Intl",
    ]
)  # what the prelude, modules.js and locale.js put beside the language

ENGINE: Final = frozenset(
    [
        "AggregateError", "Array", "ArrayBuffer", "AsyncDisposableStack", "Atomics", "BigInt", "BigInt64Array",
        "BigUint64Array", "Boolean", "DOMException", "DataView", "Date", "DisposableStack", "Error", "EvalError",
        "FinalizationRegistry", "Float16Array", "Float32Array", "Float64Array", "Function", "Infinity", "Int16Array",
        "Int32Array", "Int8Array", "InternalError", "Iterator", "JSON", "Map", "Math", "NaN", "Number", "Object", "Promise",
        "Proxy", "RangeError", "ReferenceError", "Reflect", "RegExp", "Set", "SharedArrayBuffer", "String", "SuppressedError",
        "Symbol", "SyntaxError", "TypeError", "URIError", "Uint16Array", "Uint32Array", "Uint8Array", "Uint8ClampedArray",
        "WeakMap", "WeakRef", "WeakSet", "atob", "btoa", "decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent",
        "escape", "eval", "globalThis", "isFinite", "isNaN", "parseFloat", "parseInt", "performance", "queueMicrotask",
        "undefined", "unescape",
    ]
)  # what the engine has; a test asks it

OF_NODE: Final = frozenset(
    [
        "AbortController", "Blob", "EventSource", "FormData", "Headers", "ReadableStream", "Request", "Response",
        "WebAssembly", "WebSocket", "__dirname", "__filename", "clearInterval", "clearTimeout", "crypto", "exports", "fetch",
        "global", "module", "process", "setImmediate", "setInterval", "setTimeout",
    ]
)
# fmt: on

KNOWN: Final = OURS | ENGINE | RESERVED | {"true", "false", "null", "async", "of", "get", "set", "arguments"}

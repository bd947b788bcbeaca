"""Definitions that hold whatever a definition may hold."""

from __future__ import annotations

STEPS = {
    "$schema": "./flow.schema.json",
    "key": "all",
    "name": "All kinds",
    "version": 1,
    "inputs": {
        "who": {"type": "string", "required": False, "default": "x", "enum": ["x", "y"], "description": "d", "connection": {}}
    },
    "defaultOnError": {"strategy": "continue", "retryOn": [429, "ECONNRESET"]},
    "timeoutMs": 60000,
    "maxConcurrency": 4,
    "output": {"a": "$.steps.make.output"},
    "steps": [
        {
            "id": "make",
            "type": "transform",
            "name": "Make",
            "if": "$.input.who !== 'y'",
            "unless": "false",
            "requires": ["$.input.who"],
            "timeoutMs": 5.5,
            "onInterrupted": "retry",
            "outputSchema": {"a": "string"},
            "metrics": {"track": True, "costLabel": "c"},
            "onError": {
                "strategy": "fallback",
                "fallbackStepId": "other",
                "retries": 2,
                "retryDelayMs": 10,
                "backoff": "exponential-jitter",
                "maxDelayMs": 100,
                "failFastOn": ["a"],
            },
            "transform": {"expression": "({a: '1'})"},
        },
        {"id": "other", "type": "transform", "transform": {"expression": "1"}},
        {
            "id": "sh",
            "type": "bash",
            "bash": {"command": "true", "timeout": 10, "env": {"A": {"json": "$.input"}}, "parseJson": True},
        },
        {
            "id": "web",
            "type": "http",
            "http": {
                "url": "http://a/",
                "method": "POST",
                "headers": {"A": None},
                "body": {"a": 1},
                "expect": [204, "2xx"],
                "auth": {"type": "basic", "secret": {"env": "S"}, "username": "u"},
                "maxBytes": 10,
                "followRedirects": True,
            },
        },
        {
            "id": "if",
            "type": "condition",
            "condition": {
                "expression": "true",
                "then": [{"id": "p", "type": "parallel", "parallel": {"steps": [], "maxConcurrency": 2}}],
                "else": [{"id": "f", "type": "flow", "flow": {"key": "{{$.input.who}}", "inputs": {"a": 1}}}],
            },
        },
        {
            "id": "each",
            "type": "loop",
            "loop": {"over": [1, 2], "as": "one", "indexAs": "n", "maxIterations": 5, "maxConcurrency": 2, "steps": []},
        },
        {"id": "again", "type": "while", "while": {"condition": "false", "maxIterations": 3, "steps": []}},
        {"id": "in", "type": "file-read", "fileRead": {"path": "a.json", "parseJson": True}},
        {"id": "out", "type": "file-write", "fileWrite": {"path": "b.txt", "content": "c", "append": True}},
        {"id": "say", "type": "emit", "emit": {"event": "a.b", "data": {"x": 1}}},
        {"id": "js", "type": "code", "code": {"source": "return 1"}},
        {"id": "py", "type": "python", "python": {"module": "score.py", "args": [1]}},
        {
            "id": "ask",
            "type": "action",
            "action": {"platform": "p", "actionId": "a", "connection": {"platform": "p", "tag": "t"}, "data": {}},
        },
    ],
}
NODES = {
    "$schema": "../flow.schema.json",
    "key": "nodes",
    "version": "1.0",
    "nodes": [
        {"id": "rows", "type": "transform", "label": "Rows", "config": {"expression": "[1]"}, "position": {"x": 1, "y": 2.5}},
        {"id": "some", "type": "transform", "config": {"filter": "item > 0", "map": {"n": "item"}, "limit": 5}},
        {
            "id": "any",
            "type": "condition",
            "config": {"condition": "length(data) > 0", "trueBranch": "keep", "falseBranch": "no"},
            "retryPolicy": {"maxAttempts": 2, "backoff": "linear"},
        },
        {
            "id": "keep",
            "type": "file-write",
            "config": {"path": "x", "content": "{{input | json}}"},
            "fallbackNode": "spare",
            "onInterrupted": "fail",
        },
        {"id": "spare", "type": "transform", "config": {"expression": "1"}},
        {"id": "no", "type": "condition", "config": {"expression": "true", "then": [], "else": []}},
        {"id": "ask", "type": "prompt", "config": {"promptTemplate": "Hi", "model": "m", "temperature": 0.5, "maxTokens": 10}},
        {"id": "back", "type": "loop", "config": {"targetNode": "no", "maxIterations": 3, "condition": "data"}},
    ],
    "edges": [
        {"id": "e1", "source": "rows", "target": "some", "label": "all"},
        {"source": "some", "target": "any"},
        {"source": "no", "target": "ask", "condition": True},
        {"source": "ask", "target": "back"},
    ],
    "settings": {
        "maxConcurrentNodes": 2,
        "timeout": 10,
        "errorHandling": "fallback",
        "executionMode": "manual",
        "retryPolicy": {
            "maxAttempts": 3,
            "initialDelay": 1,
            "maxDelay": 5,
            "rateLimit": {"maxAttempts": 5, "backoff": "constant"},
        },
    },
}
HOOK = {
    "$schema": "./trigger.schema.json",
    "key": "hook",
    "description": "d",
    "enabled": False,
    "priority": 1,
    "trigger": {
        "type": "webhook",
        "path": "/a/{b}",
        "methods": ["POST", "put"],
        "auth": {
            "type": "hmac",
            "secret": [{"env": "A"}, {"file": "/b"}],
            "header": "X-Sign",
            "algorithm": "sha512",
            "encoding": "base64",
            "prefix": "v1=",
            "timestamp": {"header": "x-t", "tolerance": "5m"},
            "signed": "{timestamp}.{body}",
        },
        "filter": "$.body.a === 1",
    },
    "flow": "f",
    "inputMapping": {"a": {"path": "$.body.a", "default": 1}},
    "idempotency": {"key": "$.body.id", "ttl": "1h30m"},
    "tests": [
        {"name": "t", "event": {"body": {}}, "expect": {"fires": True, "verdict": "dispatched", "inputs": {}, "reason": "r"}}
    ],
}
DAILY = {
    "id": "daily",
    "trigger": {
        "type": "cron",
        "cron": "0 9 * * *",
        "tz": "Europe/Berlin",
        "jitter": "2m",
        "catchup": {"policy": "all", "window": "2h"},
    },
    "flow": "f",
    "when": "true",
    "inputs": {},
}
WATCH = {
    "name": "watch",
    "trigger": {
        "type": "file",
        "path": "/in",
        "include": "*.pdf",
        "events": ["created", "moved"],
        "settle": "2s",
        "poll": "auto",
    },
    "flow": "f",
}
FOLLOW = {"trigger": {"type": "flow", "flow": "a", "on": ["failed"], "if": "true"}, "flow": "f"}
HEAR = {"trigger": {"type": "event", "name": ["a.b", "c"]}, "flow": "f", "tests": None, "filter": None}
WHOLE = [("flow", STEPS), ("flow", NODES), *(("trigger", each) for each in (HOOK, DAILY, WATCH, FOLLOW, HEAR))]

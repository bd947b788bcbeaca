"""Steps run as the One CLI documents them: in a folder, with sub-flows beside them."""

from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.steps import make_kinds

KINDS = make_kinds()


def not_found(key):
    raise StepError(f"there is no flow «{key}»", code="FLOW_NOT_FOUND", retryable=False)


async def run(folder, *steps, inputs=None, flows=(), **given):
    known = {each["key"]: load_flow(each, key=None, folder=folder, kinds=KINDS) for each in flows}
    flow = load_flow({"key": "main", "steps": list(steps), **given}, key=None, folder=folder, kinds=KINDS)
    world = World(KINDS, lambda key: known.get(key) or not_found(key), None)
    return await execute(flow, inputs or {}, run_id="run_1", world=world, record=lambda _attempt: None)


def calc(step_id, expression="1", **given):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}, **given}

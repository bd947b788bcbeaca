"""Short ways to write into a database of a connector, and to ask it."""

import pytest

from flows.errors import StepError


async def do(databases, address, *statements):
    async with databases.session(address, read_only=False, timeout_s=10, create=True) as session:
        for statement in statements:
            await session.execute(statement)


async def ask(databases, address, sql, params=None, *, read_only=True, timeout_s=10):
    async with databases.session(address, read_only=read_only, timeout_s=timeout_s) as session:
        return [row async for batch in session.rows(sql, params) for row in batch]


async def failure(awaited):
    with pytest.raises(StepError) as raised:
        await awaited
    return raised.value

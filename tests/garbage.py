"""What only Python's garbage collector can free: for tests that nothing is left to it."""

import gc
from collections import Counter


async def left_over(to_its_end):
    """Await `to_its_end()` three times; of the latter two what nobody let go of, its types counted."""
    await to_its_end()  # what is made once is there
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)  # what the collector finds is kept
    try:
        for _ in range(2):
            await to_its_end()
        gc.collect()
        return Counter(type(one) for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

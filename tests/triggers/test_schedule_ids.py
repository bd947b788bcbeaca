"""Ids sort by time, never repeat, and cost next to nothing."""

import os
import re
from threading import Thread
from time import time_ns

from triggers.ids import ALPHABET, Ids, new_id


def test_an_id_is_a_prefix_and_twenty_six_letters_that_nobody_misreads():
    made = new_id("evt")

    assert re.fullmatch(r"evt_[0-9a-hjkmnp-tv-z]{26}", made)


def test_an_id_begins_with_its_millisecond():
    before_ms = time_ns() // 1_000_000

    made = new_id("run").removeprefix("run_")

    milliseconds = 0
    for letter in made[:10]:
        milliseconds = milliseconds * 32 + ALPHABET.index(letter)
    assert 0 <= milliseconds - before_ms < 60_000


def test_each_id_is_greater_than_the_one_before_it():
    made = [new_id("evt") for _ in range(20_000)]

    assert made == sorted(set(made))


def test_ids_stay_in_order_when_a_millisecond_runs_out_of_numbers():
    ids = Ids()
    first = ids.new("evt")
    ids._low = (1 << 20) - 1

    made = [first, *(ids.new("evt") for _ in range(5))]

    assert made == sorted(set(made))


def test_ids_stay_in_order_when_the_clock_goes_back():
    ids = Ids()
    ids._begin(time_ns() // 1_000_000 + 3_600_000)

    made = [ids.new("evt") for _ in range(100)]

    assert made == sorted(set(made))


def test_threads_never_get_the_same_id():
    made: list[list[str]] = [[] for _ in range(4)]

    def work(mine: list[str]) -> None:
        mine.extend(new_id("evt") for _ in range(5_000))

    threads = [Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one for mine in made for one in mine}) == 20_000


def test_a_forked_child_does_not_repeat_its_parents_ids():
    new_id("evt")
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writing, new_id("evt").encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)

    assert theirs[14:] not in {new_id("evt")[14:] for _ in range(1000)}

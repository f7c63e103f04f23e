import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.kernels.threads import PIECE, Window, in_parallel, pieces


@given(st.integers(1, 200), st.integers(1, 5), st.integers(1, 70))
def test_parts_are_consecutive_begin_at_units_and_are_no_more_than_threads(n_items, threads, unit):
    parts = in_parallel(lambda start, stop: (start, stop), n_items, threads, unit=unit)

    assert (parts[0][0], parts[-1][1]) == (0, n_items)
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    assert all(start % unit == 0 for start, _ in parts)
    assert len(parts) <= threads


@given(st.integers(0, 3 * PIECE), st.integers(0, 3 * PIECE))
def test_pieces_cover_a_range_and_none_is_longer_than_a_piece(start, length):
    found = list(pieces(start, start + length))

    assert sum(end - first for first, end in found) == length
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert all(0 < end - first <= PIECE for first, end in found)


def places(threads):
    """The thread of each of two parts."""
    return in_parallel(lambda _start, _stop: threading.get_ident(), 2, threads)


def test_work_inside_a_worker_of_a_window_runs_in_place():
    with Window(3, 10) as window:
        for name in "abcd":
            window.add(name, 1, lambda: (threading.get_ident(), places(2)))

    assert list(window.results) == list("abcd")
    assert all(own != threading.get_ident() for own, _ in window.results.values())
    assert all(inner == [own] for own, inner in window.results.values())


def test_work_inside_a_part_runs_in_place():
    (_, (own, inner)) = in_parallel(lambda _start, _stop: (threading.get_ident(), places(3)), 2, 2)

    assert own != threading.get_ident()
    assert inner == [own]


NESTED = """
from topoimp.kernels.threads import Window, in_parallel
with Window(2, 10) as window:
    for name in "abcd":
        window.add(name, 1, lambda: in_parallel(lambda a, b: in_parallel(lambda c, d: d - c, b - a, 2), 100, 2))
print(sum(sum(map(sum, parts)) for parts in window.results.values()))
"""

FORKED = """
import os
from topoimp.kernels.threads import in_parallel
work = lambda start, stop: stop - start
in_parallel(work, 100, 2)
child = os.fork()
os.write(1, f"{in_parallel(work, 100, 2)}\\n".encode())  # print may write a line in two pieces
if child:
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize(("program", "out"), [(NESTED, "400\n"), (FORKED, "[50, 50]\n" * 2)])
def test_no_pool_is_waited_for_by_its_workers_or_by_a_forked_process(program, out):
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

    assert (ended.stdout, ended.stderr) == (out, "")


def test_an_error_is_raised_once_running_work_has_ended_and_the_rest_is_left_out():
    begun, ended = [], []

    def fail():
        time.sleep(0.05)
        raise ZeroDivisionError

    def take_long(name):
        begun.append(name)
        time.sleep(0.2)
        ended.append(name)

    def fail_first():
        with Window(2, 100) as window:
            window.add("a", 1, fail)
            for name in "bcdef":
                window.add(name, 1, lambda name=name: take_long(name))

    with pytest.raises(ZeroDivisionError):
        fail_first()

    assert begun == ended
    assert "f" not in begun


def test_running_work_has_ended_when_an_error_leaves_the_context():
    begun, ended = threading.Event(), threading.Event()

    def leave():
        with Window(2, 100) as window:
            window.add("a", 1, lambda: (begun.set(), time.sleep(0.1), ended.set()))
            begun.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave()

    assert ended.is_set()


def test_the_error_of_an_older_task_comes_before_that_of_the_calling_thread():
    begun = threading.Event()

    def fail_later():
        begun.wait()
        raise ValueError("older")

    def fail_at_once():
        begun.set()
        raise ValueError("newer")

    def both_fail():
        with Window(2, 100) as window:
            window.add("a", 1, fail_later)
            window.do("b", fail_at_once)

    with pytest.raises(ValueError, match="older"):
        both_fail()

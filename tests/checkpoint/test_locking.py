import multiprocessing
import os
import threading
from contextlib import ExitStack, suppress

import pytest

from topoimp.checkpoint.locking import LockState, ends_with, locked, owned, owner_of

SPAWN = multiprocessing.get_context("spawn")


def hold(path, connection, *, starts_another):
    """Own a lock, in this process or in a child of it, until the connection sends or closes."""
    if starts_another:
        child = SPAWN.Process(target=hold, args=(path, connection), kwargs={"starts_another": False})
        child.start()
        child.join()
        return
    ends_with(os.getppid())
    with owned(path), suppress(EOFError):
        connection.send(os.getpid())
        connection.recv()


@pytest.fixture
def holder(tmp_path):
    """Start a process that owns a lock, or one whose child does; return it and the connection to the owner."""
    with ExitStack() as stack:

        def start(*, starts_another=False):
            ours, theirs = SPAWN.Pipe()
            arguments = {"starts_another": starts_another}
            process = SPAWN.Process(target=hold, args=(tmp_path / "lock", theirs), kwargs=arguments)
            process.start()
            theirs.close()  # so that a process that fails ends the wait for its id
            stack.callback(process.kill)
            stack.callback(ours.close)
            return process, ours, ours.recv()

        yield start


def test_a_lock_is_held_once(tmp_path):
    with locked(tmp_path) as first, locked(tmp_path) as second:
        assert (first, second) == (LockState.HELD, LockState.TAKEN)
    with locked(tmp_path) as again:
        assert again is LockState.HELD


def test_a_lock_on_a_file_that_was_replaced_is_not_held(tmp_path, monkeypatch):
    path, other = tmp_path / "lock", tmp_path / "other"
    path.touch()
    other.touch()
    descriptor = os.open(path, os.O_RDONLY)
    monkeypatch.setattr(os, "open", lambda *_: os.dup(descriptor))
    other.replace(path)

    with locked(path) as state:
        assert state is LockState.TAKEN
    os.close(descriptor)


def test_the_lock_of_a_process_that_lives_is_refused_at_once(tmp_path, holder):
    _, _, owner = holder()
    waits = []

    with owned(tmp_path / "lock", patience=0, on_wait=waits.append) as state:
        assert state is LockState.TAKEN

    assert waits == []
    assert owner_of(tmp_path / "lock").process == owner


def test_a_lock_whose_owner_has_lost_its_parent_is_waited_for(tmp_path, holder):
    parent, connection, owner = holder(starts_another=True)
    waits = []

    def on_wait(owner):
        waits.append(owner.process)
        connection.send(None)

    parent.kill()
    parent.join()
    with owned(tmp_path / "lock", on_wait=on_wait) as state:
        assert state is LockState.HELD

    assert waits == [owner]
    assert owner_of(tmp_path / "lock").process == os.getpid()


def test_the_wait_for_an_owner_that_is_ending_is_bounded(tmp_path, holder):
    parent, _, owner = holder(starts_another=True)
    waits = []

    parent.kill()
    parent.join()
    with owned(tmp_path / "lock", patience=0.1, on_wait=waits.append) as state:
        assert state is LockState.TAKEN

    assert [str(each) for each in waits] == [f"process {owner}"]


def test_an_owner_on_another_machine_is_waited_for_as_it_may_be_ending(tmp_path, holder):
    _, connection, owner = holder()
    path = tmp_path / "lock"
    path.write_text(path.read_text().replace(path.read_text().partition("\n")[0], "0123abcd node7", 1))
    waits = []

    with owned(path, patience_elsewhere=0.1, on_wait=waits.append) as state:
        assert state is LockState.TAKEN
    with owned(path, on_wait=lambda _owner: connection.send(None)) as state:
        assert state is LockState.HELD

    assert [str(each) for each in waits] == [f"process {owner} on node7"]


@pytest.mark.parametrize("content", ["", "no process", "1", "0x3 4", "0123abcd node7", "node7", "a b\nc d", "a b\n1"])
def test_a_lock_file_that_names_no_process_is_refused_at_once(tmp_path, content):
    waits = []

    with owned(tmp_path / "lock"):
        (tmp_path / "lock").write_text(content)
        with owned(tmp_path / "lock", on_wait=waits.append) as state:
            assert state is LockState.TAKEN

    assert waits == []


def test_waiting_for_a_lock_ends_with_the_lock(tmp_path):
    order = []

    def wait():
        with locked(tmp_path, waits=True) as state:
            order.append(state)

    thread = threading.Thread(target=wait)
    with locked(tmp_path):
        thread.start()
        order.append("released")
    thread.join()

    assert order == ["released", LockState.HELD]

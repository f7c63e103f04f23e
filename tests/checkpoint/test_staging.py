import errno
import fcntl
import os
import re
import threading
import time
from contextlib import suppress

import pytest

from topoimp.checkpoint import Staging
from topoimp.checkpoint.machines import host_name, this_machine
from topoimp.checkpoint.staging import remove_partial_outputs
from topoimp.errors import OutputError


def stage(targets, text="new", *, force=False):
    with Staging(targets, force=force) as staging:
        for target in targets:
            staging.partial(target).write_text(text)
        staging.commit()


def fail_while_staging(targets, error, *, force=False):
    with Staging(targets, force=force) as staging:
        staging.partial(targets[0]).write_text("half")
        raise error


def test_what_is_committed_is_there_and_nothing_else(tmp_path):
    stage([tmp_path / "a", tmp_path / "b"])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "new"


def test_an_output_can_be_synced_while_something_else_is_done(tmp_path):
    with Staging([tmp_path / "a"], force=False) as staging:
        staging.partial(tmp_path / "a").write_text("new")
        staging.begin_sync(tmp_path / "a")
        staging.commit()

    assert (tmp_path / "a").read_text() == "new"


def test_a_sync_that_fails_is_an_error(tmp_path):
    def sync_what_is_not_there():
        with Staging([tmp_path / "a"], force=False) as staging:
            staging.partial(tmp_path / "a").write_text("new")
            staging.begin_sync(tmp_path / "b")
            staging.commit()

    with pytest.raises(OutputError, match="a: cannot be written: No such file or directory"):
        sync_what_is_not_there()

    assert list(tmp_path.iterdir()) == []


def test_nothing_appears_before_the_commit(tmp_path):
    with Staging([tmp_path / "a"], force=False) as staging:
        staging.partial(tmp_path / "a").write_text("new")

        assert not (tmp_path / "a").exists()


def test_a_failure_leaves_the_old_file_and_nothing_half_written(tmp_path):
    (tmp_path / "a").write_text("old")

    with pytest.raises(KeyboardInterrupt):
        fail_while_staging([tmp_path / "a", tmp_path / "b"], KeyboardInterrupt(), force=True)

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_full_disk_is_an_error_that_names_the_output(tmp_path):
    with pytest.raises(OutputError, match="a: cannot be written: No space left on device"):
        fail_while_staging([tmp_path / "a"], OSError(errno.ENOSPC, "No space left on device"))

    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_refused_and_kept(tmp_path):
    (tmp_path / "b").write_text("old")

    with pytest.raises(OutputError, match="b: exists already; `force` replaces it"):
        stage([tmp_path / "a", tmp_path / "b"])

    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "old"


def test_force_replaces_it(tmp_path):
    (tmp_path / "a").write_text("old")

    stage([tmp_path / "a"], force=True)

    assert (tmp_path / "a").read_text() == "new"


def test_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "a").mkdir()

    with pytest.raises(OutputError, match="a: is a folder; the output is a file"):
        stage([tmp_path / "a"], force=True)


def test_one_name_for_two_outputs_is_refused(tmp_path):
    with pytest.raises(OutputError, match="a: named for two outputs; each needs a name of its own"):
        stage([tmp_path / "a", tmp_path / "a"])


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path, folder):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"a: cannot be written: (No such file or directory|Not a directory)"):
        stage([tmp_path / folder / "a"])


def fill(folder, text):
    (folder / "sub").mkdir()
    (folder / "sub/file").write_text(text)


def stage_folder(target, text, *, force=False):
    with Staging([target], force=force, folders=[target]) as staging:
        fill(staging.partial(target), text)
        staging.commit()


def test_a_folder_appears_whole(tmp_path):
    with Staging([tmp_path / "a"], force=False, folders=[tmp_path / "a"]) as staging:
        fill(staging.partial(tmp_path / "a"), "new")
        assert not (tmp_path / "a").exists()
        staging.commit()

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a/sub/file").read_text() == "new"


def test_a_folder_is_replaced_by_another_with_force_only(tmp_path):
    stage_folder(tmp_path / "a", "old")

    with pytest.raises(OutputError, match="a: exists already; `force` replaces it"):
        stage_folder(tmp_path / "a", "new")
    stage_folder(tmp_path / "a", "new", force=True)

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a/sub/file").read_text() == "new"


def test_a_folder_is_replaced_where_the_system_cannot_exchange_two_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("topoimp.checkpoint.staging._exchange_at_once", lambda _first, _second: False)
    stage_folder(tmp_path / "a", "old")

    stage_folder(tmp_path / "a", "new", force=True)

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a/sub/file").read_text() == "new"


def test_a_file_is_never_replaced_by_a_folder(tmp_path):
    (tmp_path / "a").touch()

    with pytest.raises(OutputError, match="a: is a file; the output is a folder"):
        stage_folder(tmp_path / "a", "new", force=True)


HERE, ELSEWHERE = f"node_1-12-{this_machine()}-0123abcd", "node7-12-89abcdef-0123abcd"
"""What follows the name of an output in that of a partial one: of a run on this machine, and of one on another."""


def leave_behind(folder, writer, hours=0.0):
    """Make a partial file and a partial folder, unlocked, that were last changed some hours ago."""
    (folder / f"a.partial-{writer}").write_text("half")
    (folder / f"b.partial-{writer}").mkdir()
    (folder / f"b.partial-{writer}/x").touch()
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 3600 * hours,) * 2)


def stage_both(folder):
    """Stage a file and a folder; return the names in the folder that are no output."""
    stage([folder / "a"])
    stage_folder(folder / "b", "new")
    return sorted(path.name for path in folder.iterdir() if path.name not in "ab")


def test_what_a_killed_process_left_behind_is_removed_and_nothing_else(tmp_path):
    leave_behind(tmp_path, HERE)
    (tmp_path / f"c.partial-{HERE}").write_text("of another output")

    assert stage_both(tmp_path) == [f"c.partial-{HERE}"]


@pytest.mark.parametrize("writer", [ELSEWHERE, "0123abcd"])
def test_what_another_machine_may_work_on_is_left_alone_though_its_lock_can_be_had(tmp_path, monkeypatch, writer):
    monkeypatch.setattr("topoimp.checkpoint.staging.shares_locks", lambda _path: False)
    leave_behind(tmp_path, writer, hours=10_000)

    assert stage_both(tmp_path) == [f"a.partial-{writer}", f"b.partial-{writer}"]


@pytest.mark.parametrize("writer", [ELSEWHERE, "0123abcd"])
@pytest.mark.parametrize(("hours", "stay"), [(0.9, True), (1.1, False)])
def test_where_locks_are_shared_an_old_leftover_of_another_machine_is_removed(
    tmp_path, monkeypatch, writer, hours, stay
):
    monkeypatch.setattr("topoimp.checkpoint.staging.shares_locks", lambda _path: True)
    leave_behind(tmp_path, writer, hours)

    assert stage_both(tmp_path) == ([f"a.partial-{writer}", f"b.partial-{writer}"] if stay else [])


def test_a_folder_in_which_a_file_has_changed_lately_is_not_old(tmp_path, monkeypatch):
    monkeypatch.setattr("topoimp.checkpoint.staging.shares_locks", lambda _path: True)
    leave_behind(tmp_path, ELSEWHERE, hours=2)
    (tmp_path / f"b.partial-{ELSEWHERE}/x").touch()

    assert stage_both(tmp_path) == [f"b.partial-{ELSEWHERE}"]


def test_a_partial_output_is_named_after_its_writer(tmp_path):
    with Staging([tmp_path / "a"], force=False):
        (partial,) = tmp_path.iterdir()

    assert re.fullmatch(rf"a\.partial-{host_name()}-{os.getpid()}-{this_machine()}-[0-9a-f]{{8}}", partial.name)


def test_what_another_process_works_on_is_left_alone(tmp_path):
    other = tmp_path / f"a.partial-{HERE}"
    other.write_text("half")
    with other.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        stage([tmp_path / "a"])

        assert other.read_text() == "half"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_outputs_are_written_and_leftovers_stay(tmp_path, monkeypatch, number):
    def no_locks(_descriptor, _how):
        raise OSError(number, "no locks")

    (tmp_path / f"a.partial-{HERE}").write_text("perhaps another run's")
    monkeypatch.setattr(fcntl, "flock", no_locks)

    stage([tmp_path / "a"])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", f"a.partial-{HERE}"]


def test_a_lock_that_fails_for_another_reason_is_an_error(tmp_path, monkeypatch):
    def broken(_descriptor, _how):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)

    with pytest.raises(OutputError, match="a: cannot be written: Input/output error"):
        stage([tmp_path / "a"])

    assert list(tmp_path.iterdir()) == []


def test_names_with_signs_of_patterns_are_names(tmp_path):
    (tmp_path / f"a.partial-{HERE}").write_text("of another output")

    stage([tmp_path / "[a]*?"])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["[a]*?", f"a.partial-{HERE}"]


def test_two_at_once_leave_the_outputs_of_one_of_them(tmp_path):
    targets = [tmp_path / name for name in "abc"]
    started = threading.Barrier(4)

    def write(text):
        started.wait()
        stage(targets, text, force=True)

    threads = [threading.Thread(target=write, args=(str(k),)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    assert len({target.read_text() for target in targets}) == 1


def test_an_output_that_appeared_meanwhile_is_not_overwritten(tmp_path):
    def stage_while_another_appears():
        with Staging([tmp_path / "a", tmp_path / "b"], force=False) as staging:
            for name in "ab":
                staging.partial(tmp_path / name).write_text("new")
            (tmp_path / "b").write_text("theirs")
            staging.commit()

    with pytest.raises(OutputError, match="b: exists already; `force` replaces it"):
        stage_while_another_appears()

    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "theirs"


def test_too_little_room_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(
        OutputError, match=r"b: 1,000,000,000,001.0 MB are to be written there, and [0-9,.]+ MB are free"
    ):
        Staging(
            [tmp_path / "a", tmp_path / "b"], force=False, needed={tmp_path / "a": 10**6, tmp_path / "b": 10**18}
        ).__enter__()

    assert list(tmp_path.iterdir()) == []


def test_an_output_that_nothing_was_written_to_is_a_bug(tmp_path):
    with (
        pytest.raises(ValueError, match="a: nothing was written to it"),
        Staging([tmp_path / "a"], force=False) as staging,
    ):
        staging.commit()


def test_folders_of_outputs_are_made_if_asked_for(tmp_path):
    target = tmp_path / "new/deep/a"

    with Staging([target, tmp_path / "new/b"], force=False, makes_folders=True) as staging:
        for output in (target, tmp_path / "new/b"):
            staging.partial(output).write_text("new")
        staging.commit()

    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "new",
        "new/b",
        "new/deep",
        "new/deep/a",
    ]


@pytest.mark.parametrize("ends_in_time", [True, False])
def test_made_folders_that_stay_empty_are_removed_and_others_stay(tmp_path, ends_in_time):
    (tmp_path / "old").mkdir()
    targets = [tmp_path / "old/new/a", tmp_path / "new/deep/a"]

    with suppress(KeyboardInterrupt), Staging(targets, force=False, makes_folders=True):
        assert (tmp_path / "new/deep").is_dir()
        if not ends_in_time:
            remove_partial_outputs()
            assert [path.name for path in tmp_path.rglob("*")] == ["old"]
        raise KeyboardInterrupt

    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_a_folder_that_cannot_be_made_leaves_none_behind(tmp_path):
    (tmp_path / "file").touch()
    targets = [tmp_path / "new/a", tmp_path / "file/new/b"]

    with (
        pytest.raises(OutputError, match=r"b: cannot be written: Not a directory"),
        Staging(targets, force=False, makes_folders=True),
    ):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["file"]

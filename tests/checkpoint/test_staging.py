import errno

import pytest

from topoimp.checkpoint import Staging
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

    with pytest.raises(OutputError, match="b: exists already; --force replaces it"):
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

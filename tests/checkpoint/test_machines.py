import os

import pytest

from topoimp.checkpoint import machines
from topoimp.checkpoint.machines import host_name, shares_locks, this_machine


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Have the system say how the file system of ``tmp_path`` is mounted; return a function that sets it."""

    def mount(kind, options, number=None):
        device = tmp_path.stat().st_dev
        number = number or f"{os.major(device)}:{os.minor(device)}"
        lines = [
            "22 1 0:21 / /proc rw,nosuid - proc proc rw",
            f"36 35 {number} /sub /data\\040here rw,noatime master:1 - {kind} server:/a\\040b {options}",
        ]
        table = tmp_path / "mountinfo"
        table.write_text("".join(f"{line}\n" for line in lines))
        monkeypatch.setattr(machines, "_MOUNTS", table)

    return mount


@pytest.mark.parametrize(
    ("kind", "options", "of_file", "of_folder"),
    [
        ("ext4", "rw,errors=remount-ro", True, True),
        ("tmpfs", "rw", True, True),
        ("lustre", "rw,flock,lazystatfs", True, True),
        ("lustre", "rw,localflock", False, False),
        ("lustre", "rw", False, False),
        ("nfs4", "rw,vers=4.2,local_lock=none", True, False),
        ("nfs", "rw,vers=3,local_lock=flock", False, False),
        ("nfs", "rw,vers=3,nolock,local_lock=all", False, False),
        ("fuse.sshfs", "rw", False, False),
        ("gpfs", "rw", False, False),
    ],
)
def test_a_mount_says_whether_machines_share_their_locks(mounted, tmp_path, kind, options, of_file, of_folder):
    mounted(kind, options)

    assert (shares_locks(tmp_path / "mountinfo"), shares_locks(tmp_path)) == (of_file, of_folder)


def test_a_file_system_that_is_not_listed_may_keep_locks_to_itself(mounted, tmp_path):
    mounted("ext4", "rw", number="999:9")

    assert not shares_locks(tmp_path)


def test_a_path_or_a_list_that_is_missing_says_nothing(tmp_path, monkeypatch):
    assert not shares_locks(tmp_path / "missing")

    monkeypatch.setattr(machines, "_MOUNTS", tmp_path / "missing")
    assert not shares_locks(tmp_path)


@pytest.mark.parametrize(
    ("name", "host"), [("node-7.cluster.org", "node_7"), ("", "unknown"), ("n" * 50, "n" * 20), ("Zürich", "Z_rich")]
)
def test_a_machine_has_a_short_name_for_files(monkeypatch, name, host):
    monkeypatch.setattr(machines.platform, "node", lambda: name)

    assert host_name.__wrapped__() == host


def test_a_machine_is_its_running_kernel_or_its_name(monkeypatch, tmp_path):
    (tmp_path / "boot").write_text("1234")
    names = set()
    for boot, node in [("boot", "a"), ("boot", "b"), ("missing", "a"), ("missing", "b")]:
        monkeypatch.setattr(machines, "_BOOT", tmp_path / boot)
        monkeypatch.setattr(machines.platform, "node", lambda node=node: node)
        names.add(this_machine.__wrapped__())

    assert len(names) == 3
    assert all(len(name) == 8 for name in names)

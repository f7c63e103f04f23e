"""What a lock says about a process of another machine: whether the file system shares its locks between machines.

A lock always holds among the processes of one kernel. Between machines that share a file system it holds on some:
Lustre keeps locks to each machine with the option ``localflock``, NFS with ``local_lock`` or ``nolock``.
"""

import hashlib
import os
import platform
import re
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mountinfo")

_OF_ONE_KERNEL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "ramfs", "overlay"})
"""Types of file systems that one kernel at a time has mounted."""


@cache
def this_machine() -> str:
    """Return eight hexadecimal digits for the running kernel, which containers of one machine share.

    After a restart they are others. Where the system does not tell, they stand for the name of the machine.
    """
    try:
        identity = _BOOT.read_text(encoding="ascii")
    except OSError:
        identity = platform.node()
    return hashlib.sha256(identity.encode()).hexdigest()[:8]


@cache
def host_name() -> str:
    """Return the machine's name up to its first dot, for messages and names of files: letters, digits and ``_``."""
    return re.sub(r"\W", "_", platform.node().partition(".")[0], flags=re.ASCII)[:20] or "unknown"


def shares_locks(path: Path) -> bool:
    """Return whether a lock on a path is known to hold against all machines that can see it; False if unknown."""
    try:
        device = path.stat().st_dev
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = {_kind_of_mount(line) for line in lines if line.split(" ")[2:3] == [number]}
    return bool(kinds) and all(_is_shared(*kind, is_folder=path.is_dir()) for kind in kinds)


def _kind_of_mount(line: str) -> tuple[str, frozenset[str]]:
    """Return the type and the options of a file system in a line of mountinfo."""
    kind, _, options = line.partition(" - ")[2].partition(" ")
    return kind, frozenset(options.rpartition(" ")[2].split(","))


def _is_shared(kind: str, options: frozenset[str], *, is_folder: bool) -> bool:
    if kind == "lustre":
        return "flock" in options
    if kind in ("nfs", "nfs4"):  # a folder's lock never leaves the machine
        return not is_folder and "nolock" not in options and options.isdisjoint({"local_lock=flock", "local_lock=all"})
    return kind in _OF_ONE_KERNEL

"""A SLURM of two nodes on this machine: each node, and the controller, in a network namespace with a name of its own.

It needs root, and Debian's packages slurmctld, slurmd and slurm-client. Nobody is authenticated.
"""

import os
import shutil
import subprocess
import time
from contextlib import suppress

from processes import PATIENCE

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "ip", "nsenter", "unshare")

CONFIGURATION = """
ClusterName=topoimp
SlurmctldHost=ctl(198.51.100.1)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%h
SlurmctldPidFile={folder}/ctl.pid
SlurmdPidFile={folder}/%h.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
NodeName=n1 NodeAddr=198.51.100.11 NodeHostname=n1 CPUs=2 RealMemory=8000
NodeName=n2 NodeAddr=198.51.100.12 NodeHostname=n2 CPUs=2 RealMemory=8000
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""

ADDRESSES = {"ctl": 1, "n1": 11, "n2": 12}


def missing():
    """Return what this machine lacks for a SLURM, in words; None if it lacks nothing."""
    if os.geteuid() != 0:
        return "a SLURM of network namespaces needs root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"a SLURM needs the programs {', '.join(absent)}" if absent else None


class Slurm:
    """The daemons, which end with the stack of contexts."""

    def __init__(self, folder, stack):
        self._folder = folder
        self._stack = stack
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        for name in ("state", "spool-n1", "spool-n2"):
            (folder / name).mkdir()
        (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder))
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        self._make_network()
        self._start("ctl", "slurmctld", "-D")
        for node in ("n1", "n2"):
            self._start(node, "slurmd", "-D")
        deadline = time.monotonic() + PATIENCE
        while self.run("sinfo", "-h", "-t", "idle", "-o", "%D").stdout.strip() != "2" and time.monotonic() < deadline:
            time.sleep(0.2)

    def _make_network(self):
        bridge = f"tb{os.getpid()}"
        _ip("link", "add", bridge, "type", "bridge")
        self._stack.callback(_ip, "link", "del", bridge)
        _ip("link", "set", bridge, "up")
        for name, number in ADDRESSES.items():
            space, outer, inner = self._space(name), f"{name}o{os.getpid()}", f"{name}i{os.getpid()}"
            _ip("netns", "add", space)
            self._stack.callback(_ip, "netns", "del", space)
            _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
            _ip("link", "set", outer, "master", bridge, "up")
            _ip("link", "set", inner, "netns", space)
            _ip("-n", space, "link", "set", inner, "name", "eth0")  # the same name everywhere, as on real nodes
            _ip("-n", space, "addr", "add", f"198.51.100.{number}/24", "dev", "eth0")
            for link in ("eth0", "lo"):
                _ip("-n", space, "link", "set", link, "up")

    def _space(self, name):
        return f"topoimp-{name}-{os.getpid()}"

    def inside(self, name, *words):
        """The command that runs words in the network of a node, under its name."""
        entered = ("nsenter", f"--net=/run/netns/{self._space(name)}", "unshare", "--uts")
        return [*entered, "sh", "-c", f'hostname {name}; exec "$@"', "sh", *map(str, words)]

    def _start(self, name, *words):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(self.inside(name, *words), env=self.environment, **quiet)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)

    def run(self, *words, folder=None):
        """Run a command beside the controller, as on a login node."""
        command = self.inside("ctl", *words)
        return subprocess.run(command, env=self.environment, cwd=folder, capture_output=True, text=True, check=False)

    def n_jobs(self):
        """The number of jobs that wait or run."""
        return len(self.run("squeue", "-h", "-r").stdout.splitlines())

    def wait_until(self, is_so):
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert is_so()


def _ip(*words):
    with suppress(FileNotFoundError):
        subprocess.run(["ip", *words], check=True, capture_output=True)

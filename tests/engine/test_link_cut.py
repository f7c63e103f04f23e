"""Workers behind a network that is cut: two network namespaces, joined by a pair of virtual devices."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from machines import ENVIRONMENT
from processes import PATIENCE, has_ended, wait_for

NEAR, FAR = "198.51.100.1", "198.51.100.2"  # a block of addresses for documentation: TEST-NET-2
COMMAND = (
    "import sys; import replicated; from topoimp.engine.cluster import SideBySide;"
    "print(SideBySide(cluster=sys.argv[1]).run(replicated.long_marking, sys.argv[2:], usual_jobs=1))"
)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """Two namespaces, near and far, with an address each."""

    def __init__(self, stack):
        self._stack = stack
        self._names = {side: f"topoimp-{side}-{os.getpid()}" for side in ("near", "far")}
        for name in self._names.values():
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        near, far = f"tn{os.getpid()}", f"tf{os.getpid()}"
        ip("link", "add", near, "type", "veth", "peer", "name", far)
        self._far_link = far
        for side, link, address in (("near", near, NEAR), ("far", far, FAR)):
            ip("link", "set", link, "netns", self._names[side])
            for words in (["addr", "add", f"{address}/24", "dev", link], ["link", "set", link, "up"]):
                ip("-n", self._names[side], *words)
            ip("-n", self._names[side], "link", "set", "lo", "up")

    def cut(self):
        ip("-n", self._names["far"], "link", "set", self._far_link, "down")

    def start(self, side, *arguments, **streams):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams}
        command = ["ip", "netns", "exec", self._names[side], sys.executable, *arguments]
        process = subprocess.Popen(command, env=ENVIRONMENT, text=True, **quiet)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process

    def start_dask(self, side, program, *options):
        return self.start(side, "-m", f"distributed.cli.dask_{program}", "--no-dashboard", *options)


@pytest.fixture
def network():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root, and the command ip")
    with ExitStack() as stack:
        try:
            found = Network(stack)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        yield found


@pytest.mark.soak
def test_a_task_whose_worker_is_cut_off_ends_there_and_is_done_by_another(network, tmp_path):
    address, mark = f"tcp://{NEAR}:8786", tmp_path / "one.process"
    options = ("--nthreads", "1", "--memory-limit", "0")
    network.start_dask("near", "scheduler", "--host", NEAR, "--port", "8786", "--no-show")
    network.start_dask("far", "worker", address, *options, "--host", FAR)
    client = network.start("near", "-c", COMMAND, address, tmp_path / "one", stdout=subprocess.PIPE)
    first = int(wait_for(mark))
    network.start_dask("near", "worker", address, *options, "--host", NEAR)

    network.cut()

    assert has_ended(first)
    deadline = time.monotonic() + PATIENCE
    while int(wait_for(mark)) == first and time.monotonic() < deadline:
        time.sleep(0.05)
    (tmp_path / "go").touch()
    assert client.communicate()[0] == "['done']\n"

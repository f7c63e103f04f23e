"""Measure one worker and two, each behind a link of 1 Gbit/s of its own, on a checkpoint that they fetch from a server.

Network namespaces stand for the machines, and tc limits their links: this needs root, and the commands ip and tc.
The server, the schedulers and the command have no limit.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from cluster import Line
from measure import interleaved, write_table
from safetensors.numpy import save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.engine.cluster import opened
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.topology.forest import spanning_forests

TABLE = Path(__file__).resolve().parent / "hosts.csv"
CENTRE = f"topoimp-centre-{os.getpid()}"
ADDRESSES = {1: ("198.51.100.1", "198.51.100.2"), 2: ("198.51.100.5", "198.51.100.6")}
"""By host, the ends of its link, the centre's first: from a block for documentation (TEST-NET-2)."""

SERVER = ADDRESSES[1][0]
PORT, FIRST_SCHEDULER = 8899, 8790
TARGET = 1.9


def main() -> int:
    """Measure, and write the table; 0 if all is well, 1 if this machine has no network namespaces for us."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--layers", type=int, default=16, help="layers of 4096 x 4096 float32, 67 MB each")
    parser.add_argument("--rate", default="1gbit", help="of each link, as tc takes it")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)  # of the namespace: the folder to serve
    options = parser.parse_args()
    if options.inside is not None:
        _measure(options.inside, options.runs)
        return 0

    if os.geteuid() != 0 or shutil.which("tc") is None:
        print("hosts.py needs root, ip and tc; nothing was measured")  # noqa: T201
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rng = np.random.default_rng(0)
        weights = {f"w{k}": rng.standard_normal((4096, 4096), np.float32) for k in range(options.layers)}
        save_file(weights, folder / "large.safetensors")
        _join_hosts(stack, options.rate)
        _start_dask(stack)
        _run("ip", "netns", "exec", CENTRE, sys.executable, __file__, "--inside", folder, "--runs", options.runs)
    return 0


def _join_hosts(stack: ExitStack, rate: str) -> None:
    """Make a namespace for the centre and each host, and a link from the centre to each host."""
    _add_namespace(stack, CENTRE)
    for host, (near, far) in ADDRESSES.items():
        _add_namespace(stack, _name(host))
        ends = {CENTRE: (f"tc{host}-{os.getpid()}", near), _name(host): (f"th{host}-{os.getpid()}", far)}
        (one, _), (other, _) = ends.values()
        _run("ip", "link", "add", one, "type", "veth", "peer", "name", other)
        for namespace, (link, address) in ends.items():
            _run("ip", "link", "set", link, "netns", namespace)
            _run("ip", "-n", namespace, "addr", "add", f"{address}/30", "dev", link)
            _run("ip", "-n", namespace, "link", "set", link, "up")
            bucket = ("tbf", "rate", rate, "burst", "1mb", "latency", "50ms")
            _run("tc", "-n", namespace, "qdisc", "add", "dev", link, "root", *bucket)
        _run("ip", "-n", _name(host), "route", "add", "default", "via", near)


def _add_namespace(stack: ExitStack, name: str) -> None:
    _run("ip", "netns", "add", name)
    stack.callback(_run, "ip", "netns", "del", name)
    _run("ip", "-n", name, "link", "set", "lo", "up")


def _name(host: int) -> str:
    return f"topoimp-host-{host}-{os.getpid()}"


def _start_dask(stack: ExitStack) -> None:
    """Start a scheduler with a worker on the first host, and one with workers on both."""
    for number, hosts in enumerate(((1,), (1, 2))):
        port = str(FIRST_SCHEDULER + number)
        _start(stack, CENTRE, "scheduler", "--host", "0.0.0.0", "--port", port, "--no-show")  # noqa: S104  # a namespace
        for host in hosts:
            address, own = f"tcp://{SERVER}:{port}", ADDRESSES[host][1]
            _start(stack, _name(host), "worker", address, "--host", own, "--nthreads", "1", "--memory-limit", "0")
    time.sleep(8)  # until all workers are there


def _start(stack: ExitStack, namespace: str, program: str, *options: str) -> None:
    dask = [sys.executable, "-m", f"distributed.cli.dask_{program}", "--no-dashboard", *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(["ip", "netns", "exec", namespace, *dask], **quiet)  # noqa: S603, S607
    stack.callback(process.wait)
    stack.callback(process.terminate)


def _run(*words: object) -> None:
    subprocess.run(list(map(str, words)), check=True)  # noqa: S603


def _measure(folder: Path, n_runs: int) -> None:
    """Measure from the centre, and write the table."""
    path = folder / "large.safetensors"
    server = ThreadingHTTPServer(("0.0.0.0", PORT), _serving(path))  # noqa: S104  # a namespace
    threading.Thread(target=server.serve_forever, daemon=True).start()
    layers = select_layers(open_checkpoint(f"http://{SERVER}:{PORT}/large.safetensors"), LayerPatterns())
    with ExitStack() as stack:
        engines = [stack.enter_context(opened(f"tcp://{SERVER}:{FIRST_SCHEDULER + number}")) for number in range(2)]
        one, two = (LayerStream(layers, 1, workers=engine) for engine in engines)
        times = interleaved({"two": lambda: spanning_forests(two), "one": lambda: spanning_forests(one)}, n_runs)

    both, alone = times["two"].median, times["one"].median
    rate = path.stat().st_size / alone / 1e6
    print(f"one host {alone:.2f} s ({rate:.0f} MB/s), two {both:.2f} s: {alone / both:.2f} times")  # noqa: T201
    line = Line("two hosts of 1 Gbit/s", "one of them", both, alone, alone / both, "times", TARGET, n_runs)
    write_table(TABLE, [line])


def _serving(path: Path) -> type[BaseHTTPRequestHandler]:
    """Return the handler of a server that sends ranges of a file, whatever name is asked for."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            n_bytes = path.stat().st_size
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            stop = min(last + 1, n_bytes)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{n_bytes}")
            self.send_header("Content-Length", str(stop - first))
            self.send_header("ETag", '"one"')
            self.end_headers()
            with path.open("rb") as file:
                while first < stop:
                    first += os.sendfile(self.connection.fileno(), file.fileno(), first, stop - first)

    return Handler


if __name__ == "__main__":
    sys.exit(main())

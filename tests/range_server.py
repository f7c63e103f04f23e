"""A web server on this machine that sends ranges of files and fails on request: a store, or a hub, for tests."""

import hashlib
import json
import re
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class RangeServer:
    """The files of a server, its faults, and the requests that it received.

    Args:
        port: of this machine.
        files: by path, the bytes.
        faults: for the next requests of files, one each: a status, ``cut`` (in the middle of the bytes), ``slow`` (a
            kilobyte in a millisecond), ``silent``
            (until the end of the test), a function to call before the answer, or None.
        sends_ranges: whether it sends parts.
        token: the token that it wants, if any.
        redirects: whether it names another server, itself under another name, for the bytes.
        redirects_models: whether it does so for the descriptions of models, without asking for a token there.
        requests: path and first and last byte of each request of a file.
        tokens: the token that came with each.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    faults: deque = field(default_factory=deque)
    sends_ranges: bool = True
    token: str | None = None
    redirects: bool = False
    redirects_models: bool = False
    requests: list[tuple[str, int, int]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}/{path}"

    def serve(self, folder, below=""):
        """Send the files of a folder, under their names."""
        for file in folder.rglob("*"):
            if file.is_file():
                self.files[f"{below}{file.relative_to(folder)}"] = file.read_bytes()

    def n_bytes_of(self, path):
        return sum(last + 1 - first for name, first, last in self.requests if name == path)


@contextmanager
def range_server():
    """A server for as long as the context lasts."""
    served = RangeServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    server.daemon_threads = True
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(served):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            path = self.path.partition("?")[0].lstrip("/")
            token = self.headers.get("Authorization")
            if path.startswith("api/models/") and served.redirects_models:
                self._answer(302, {"Location": f"http://localhost:{served.port}/elsewhere/{path}"})
                return
            if path.startswith("elsewhere/api/"):
                served.tokens.append(token)
            if path.removeprefix("elsewhere/").startswith("api/models/"):
                self._describe(path.removeprefix("elsewhere/"), token)
                return
            if served.redirects and not path.startswith("elsewhere/"):
                self._answer(302, {"Location": f"http://localhost:{served.port}/elsewhere/{path}?signature=secret"})
                return
            self._send(path.removeprefix("elsewhere/"), token)

        def _describe(self, path, token):
            """Answer as the hub does about a model, of which there is one commit."""
            name, _, revision = path.removeprefix("api/models/").partition("/revision/")
            below = f"{name}/resolve/{'c' * 40}/"
            names = [each.removeprefix(below) for each in served.files if each.startswith(below)]
            if not names or revision not in ("main", "v1", "refs%2Fpr%2F1") or not self._may_read(token):
                self._answer(404 if names else 401, {})
                return
            described = {"sha": "c" * 40, "siblings": [{"rfilename": each} for each in names]}
            self._answer(200, {"Content-Type": "application/json"}, json.dumps(described).encode())

        def _may_read(self, token):
            return served.token is None or token == f"Bearer {served.token}"

        def _send(self, path, token):
            fault = served.faults.popleft() if served.faults else None
            if callable(fault):
                fault()
            if path not in served.files:
                self._answer(404, {})
                return
            octets = served.files[path]
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
            first, last = (int(found[1]), min(int(found[2]), len(octets) - 1)) if found else (0, len(octets) - 1)
            served.requests.append((path, first, last))
            served.tokens.append(token)
            if isinstance(fault, int):
                self._answer(fault, {})
                return
            if fault == "silent":
                served.is_over.wait()
                self.close_connection = True
                return

            if found and first > last:
                self._answer(416, {"Content-Range": f"bytes */{len(octets)}"})
                return
            headers = {"ETag": f'"{hashlib.sha256(octets).hexdigest()}"'}
            status = 200
            if served.sends_ranges:
                octets, status = octets[first : last + 1], 206
                headers["Content-Range"] = f"bytes {first}-{last}/{len(served.files[path])}"
            if fault == "slow":
                self._answer(status, headers, octets, n_sent=0)
                for start in range(0, len(octets), 1000):
                    self.wfile.write(octets[start : start + 1000])
                    served.is_over.wait(0.001)
                return
            self._answer(status, headers, octets, n_sent=len(octets) // 2 if fault == "cut" else None)

        def _answer(self, status, headers, octets=b"", n_sent=None):
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets[:n_sent])
            self.close_connection = n_sent is not None

    return Handler

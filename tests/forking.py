"""Programs that start in some milliseconds: in processes forked from one in which everything is imported and compiled.

A new interpreter takes a second to import numba and topoimp and to load the kernels, and many tests start one. A forked
process is a process like any other: it has a number that signals are sent to, an exit status, and streams, a folder and
an environment of its own. A test starts a new interpreter where the start is its point: what is imported or compiled,
streams that are closed before Python runs, limits, packages that are installed.

``Server`` is the process that forks, ``Forked`` a program that it has started. Run as a script, with an address, code
and arguments, this file starts the code on its own streams and ends with its exit status: a program for shells.
"""

import json
import os
import select
import signal
import socket
import sys
import traceback

TOPOIMP = "from topoimp_cli.app import run; run()"
"""The program, as the installed script runs it."""


class Forked:
    """A program in a forked process, with a part of the interface of Popen."""

    def __init__(self, address, code, arguments, streams, folder=None):
        """Start code; ``streams`` are the numbers of the files that become stdin, stdout and stderr."""
        program = {
            "code": code,
            "arguments": [str(word) for word in arguments],
            "folder": str(folder or os.getcwd()),  # noqa: PTH109  # pathlib takes longer to import than all the rest
            "environment": dict(os.environ),
        }
        content = json.dumps(program).encode()
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(address))
        socket.send_fds(self._connection, [content[:1]], streams)
        self._connection.sendall(content[1:])
        self._connection.shutdown(socket.SHUT_WR)
        self._answers = self._connection.makefile("r")
        self.pid = int(self._answers.readline())
        self.returncode = None

    def poll(self):
        """Give the exit status, or None while the process runs."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout=None):
        """Wait for the end, and give the exit status, which is -n after signal n."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} has not ended in {timeout} s")
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def serve(address, preparation):
    """Run code that imports and compiles, then fork a process for each program that comes, until stdin is closed."""
    exec(preparation, {})  # noqa: S102  # ours
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        answering = []
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            answering = [process for process in answering if os.waitpid(process, os.WNOHANG)[0] == 0]
            connection, _ = listener.accept()
            with connection:
                process = os.fork()
                if process == 0:
                    listener.close()
                    answer(connection)
                answering.append(process)


def answer(connection):
    """Start the program that a connection brings; answer with its number and, once it has ended, its exit status."""
    try:
        content, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        while piece := connection.recv(1 << 16):
            content += piece
        process = os.fork()
        if process == 0:
            connection.close()
            become(streams, **json.loads(content))

        for stream in streams:
            os.close(stream)
        connection.sendall(b"%d\n" % process)
        _, status = os.waitpid(process, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    finally:
        os._exit(0)


def become(streams, code, arguments, folder, environment):
    """Run code as ``python -c`` does, in this process, and end it."""
    status = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, max(streams) + 1)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["-c", *arguments]
        encoding = environment.get("PYTHONIOENCODING")
        sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115  # as long as the process
        sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding, "backslashreplace", closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        exec(code, {"__name__": "__main__"})  # noqa: S102  # of a test
        status = 0
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    place, program, *words = sys.argv[1:]
    ended = Forked(place, program, words, [0, 1, 2]).wait()
    sys.exit(ended if ended >= 0 else 128 - ended)

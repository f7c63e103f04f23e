"""A server on this machine that speaks as Amazon's S3 does, by moto, with a bucket called models."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen

from topoimp.stores.clients import _client


@dataclass(frozen=True)
class Bucket:
    """The bucket of a server, at an address of this machine."""

    url: str

    def set_environment(self, monkeypatch):
        """Set the variables by which Amazon's tools find the server."""
        _client.cache_clear()
        monkeypatch.setenv("AWS_ENDPOINT_URL", self.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_REGION", "us-east-1")

    def put(self, name, octets):
        """Store an object."""
        import obstore

        obstore.put(self._store(), name, octets)

    def put_folder(self, folder, below):
        """Store the files of a folder."""
        for file in folder.rglob("*"):
            if file.is_file():
                self.put(f"{below}/{file.relative_to(folder)}", file.read_bytes())

    def _store(self):
        from obstore.store import S3Store

        credentials = {"access_key_id": "testing", "secret_access_key": "testing", "region": "us-east-1"}
        return S3Store("models", endpoint=self.url, client_options={"allow_http": True}, **credentials)


@contextmanager
def s3_server():
    """A server for as long as the context lasts, in a process of its own."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            url = f"http://127.0.0.1:{int(process.stdout.readline())}"
            signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request"}
            with urlopen(Request(f"{url}/models", method="PUT", headers=signed)):  # noqa: S310  # this machine's
                pass
            yield Bucket(url)
        finally:
            process.kill()


if __name__ == "__main__":
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    sys.stdout.write(f"{server.get_host_and_port()[1]}\n")
    sys.stdout.flush()
    threading.Event().wait()

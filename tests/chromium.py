"""A real Chromium without a window, driven through a pipe by its DevTools protocol, with a limit on every wait."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

LIMIT = 60
"""Seconds that an answer, or an event, may take: many times what it takes on a busy machine."""

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(
    PROGRAM is None or shutil.which("bash") is None, reason="no Chromium is installed (apt-get install chromium)"
)


class Chromium:
    """A browser with one tab: a context that ends its processes.

    ``errors`` lists the errors of the console, of scripts and of the security policy; ``requests`` lists the addresses
    of all requests.
    """

    def __enter__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="topoimp-chromium-", ignore_cleanup_errors=True)
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
        flags += ("--disable-background-networking", f"--user-data-dir={self._profile.name}", "--remote-debugging-pipe")
        # The browser reads commands from file 3 and writes answers to file 4; the shell puts the pipes there.
        shell = f'exec "$@" 3<&{commands} 4>&{answers} 2>/dev/null'
        words = ["bash", "-c", shell, "bash", PROGRAM, *flags, "about:blank"]
        self._process = subprocess.Popen(words, pass_fds=(commands, answers), start_new_session=True)
        os.close(commands)
        os.close(answers)
        self._number, self._text, self._events, self._session = 0, b"", [], None
        self.errors, self.requests = [], []

        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        self._process.kill()
        self._process.wait(LIMIT)
        for file in (self._to, self._from):
            os.close(file)
        self._profile.cleanup()

    def _attach(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Send a command, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        number = self._number
        answer = self._next(lambda message: message.get("id") == number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _next(self, is_wanted):
        """Return the next message that is wanted; record the errors and requests that come before it."""
        end = time.monotonic() + LIMIT
        while True:
            while b"\0" in self._text:
                text, _, self._text = self._text.partition(b"\0")
                message = json.loads(text)
                self._note(message)
                if is_wanted(message):
                    return message
            if not select.select([self._from], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"Chromium said nothing for {LIMIT} seconds")
            read = os.read(self._from, 1 << 16)
            assert read, "Chromium has ended"
            self._text += read

    def _note(self, message):
        about, details = message.get("method"), message.get("params", {})
        if about == "Runtime.exceptionThrown":
            self.errors.append(str(details["exceptionDetails"]))
        elif about == "Log.entryAdded":
            self.errors.append(details["entry"]["text"])
        elif about == "Runtime.consoleAPICalled":
            self.errors.append(str(details["args"]))
        elif about == "Network.requestWillBeSent":
            address = details["request"]["url"]
            self.requests += [] if address.startswith("data:") else [address]  # which lies in the page itself
        elif about == "Page.loadEventFired":
            self._events.append(about)

    def open(self, path, *, width=1280, height=900, scheme="light"):
        """Open a file in a window of this size, and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.errors.clear()
        self.requests.clear()
        self._events.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        if not self._events:
            self._next(lambda message: message.get("method") == "Page.loadEventFired")

    def value(self, expression):
        """Return the value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def click(self, selector):
        """Click in the middle of an element, as a mouse does."""
        query = f"document.querySelector({json.dumps(selector)})"
        box = f"(() => {{ const e = {query}; e.scrollIntoView({{block: 'center', inline: 'center'}}); "
        box += "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        x, y = self.value(box)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def type(self, selector, text):
        """Click on an input and type a text into it, in place of what it held."""
        self.click(selector)
        self.value(f"document.querySelector({json.dumps(selector)}).select()")
        if text:
            self.call("Input.insertText", text=text)
        else:
            for kind in ("rawKeyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key="Delete", code="Delete", windowsVirtualKeyCode=46)

    def screenshot(self, path):
        """Save the whole page as PNG."""
        shown = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(shown["data"]))

"""Programs that a test starts, on ports that nobody has."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from common import CACHE


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def get(url):
    """The body, or `None` where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return None


def within(seconds, asked):
    """What is asked for as soon as it is there; `None` if it does not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := asked():
            return found
        time.sleep(0.2)
    return None


@contextlib.contextmanager
def running(program, *arguments, ready, **environment):
    """A program of those that .ci/tools has fetched, from when `ready` answers to the end of the block."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [CACHE / "bin" / program, *arguments],
            cwd=home, env=os.environ | {"HOME": home} | environment, stdout=said, stderr=said,
        )  # fmt: skip
        try:
            if not within(30, lambda: process.poll() is not None or get(ready)) or process.poll() is not None:
                said.seek(0)
                raise AssertionError(f"{program} does not answer at {ready}: {said.read()}")
            yield
        finally:
            process.kill()
            process.wait()

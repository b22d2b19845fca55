"""A small client of a running Promptory, and a handle on a server process, for the drills beside this file.

Python's standard library only. A `Client` keeps one connection a thread, so that it may be shared by threads.
A `Server` is the real binary in a child process: started, stopped, killed, started again on the same folder.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

# A hang must end in a failure; nothing is measured with these.
REQUEST_SECONDS = 120
START_SECONDS = 180
RETRIES = 60


class Refused(Exception):
    """An answer that was not the one hoped for: its status, its problem code and the whole document."""

    def __init__(self, method, target, status, document):
        self.status = status
        self.document = document if isinstance(document, dict) else {}
        self.code = self.document.get("code")
        super().__init__(f"{method} {target}: {status} {self.code or ''} {self.document.get('detail', '')}".rstrip())


class Answer:
    """A status, headers and a body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


def quote(segment):
    """One segment of a path: everything but unreserved characters percent-encoded, slashes too."""
    return urllib.parse.quote(segment, safe="")


class Client:
    """Speaks to one server with one API key."""

    def __init__(self, url, key=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"not an http address: {url}")
        self.url, self.host, self.port = url, parts.hostname, parts.port or 80
        self.key = key
        self._local = threading.local()

    def send(self, method, target, body=None, headers=None):
        """One request, whatever its answer. A connection that the server closed while idle is opened again once."""
        headers = dict(headers or {})
        if self.key:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
            headers.setdefault("Content-Type", "application/json")
        reused = getattr(self._local, "connection", None) is not None
        try:
            return self._send(method, target, body, headers)
        except (ConnectionError, http.client.HTTPException):
            self.close()
            # Only a read is repeated: of a write nobody knows whether it arrived.
            if not reused or method != "GET":
                raise
            return self._send(method, target, body, headers)

    def _send(self, method, target, body, headers):
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=REQUEST_SECONDS)
            self._local.connection = connection
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        if response.will_close:
            self.close()
        return answer

    def close(self):
        """Closes this thread's connection."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def call(self, method, path, body=None, headers=None, **query):
        """One request; the JSON of a 2xx answer. "Try again" answers to reads are tried again, a bounded number of times."""
        asked = {name: value for name, value in query.items() if value is not None}
        target = path + ("?" + urllib.parse.urlencode(asked, quote_via=urllib.parse.quote) if asked else "")
        for left in range(RETRIES, -1, -1):
            answer = self.send(method, target, body, headers)
            if method == "GET" and answer.status in (429, 503, 504) and left:
                time.sleep(0.5)
                continue
            break
        try:
            document = answer.json() if answer.body else None
        except ValueError:
            document = None
        if not 200 <= answer.status < 300:
            raise Refused(method, target, answer.status, document)
        return document

    def get(self, path, **query):
        """A GET; the JSON of a 2xx answer."""
        return self.call("GET", path, **query)

    def prompt(self, key_or_id, **query):
        """`GET /v1/prompts/{prompt}`."""
        return self.get("/v1/prompts/" + quote(key_or_id), **query)

    def listing(self, **query):
        """Every summary of `GET /v1/prompts`, page after page. Pages at different points are an error."""
        page = self.get("/v1/prompts", limit=1000, **query)
        index = page["index"]
        while True:
            yield from page["prompts"]
            if page["next_cursor"] is None:
                return
            # The cursor carries the question and the point that the first page was answered at.
            page = self.get("/v1/prompts", limit=1000, cursor=page["next_cursor"])
            if page["index"] != index:
                raise AssertionError(f"one page is of index {index}, the next of {page['index']}")

    def events(self, start=0):
        """Every event of the tenant in index order. A hole in the indexes is an error."""
        expected = start
        while True:
            page = self.get("/v1/events", **{"from": expected, "limit": 1000})
            for event in page["events"]:
                if event["index"] != expected:
                    raise AssertionError(f"event {event['index']} came where {expected} was due")
                expected += 1
                yield event
            if not page["events"]:
                return
            if page["next"] != expected:
                raise AssertionError(f"`next` says {page['next']} after event {expected - 1}")


def content_bytes(answer):
    """The content of a `GET /v1/prompts/{prompt}` answer as the bytes that are hashed."""
    if answer["kind"] == "text":
        return answer["text"].encode()
    messages = [{"role": m["role"], "content": m["content"]} for m in answer["messages"]]
    return json.dumps(messages, separators=(",", ":"), ensure_ascii=False).encode()


class Server:
    """`promptory serve` on a folder, as a child process."""

    def __init__(self, binary, data, tenant="drill", extra=()):
        self.binary, self.data, self.tenant, self.extra = str(binary), Path(data), tenant, list(extra)
        self.process = None
        self.url = None
        self.data.mkdir(parents=True, exist_ok=True)
        # Beside the data folder, which is the server's own.
        self.log = self.data.with_name(self.data.name + ".log")
        self._address_file = self.data.with_name(self.data.name + ".address")

    @property
    def key_file(self):
        """Where the server wrote the owner's key when it made the tenant."""
        return self.data / "keys" / f"{self.tenant}-owner.key"

    @property
    def key(self):
        """The owner's key."""
        return self.key_file.read_text().strip()

    @property
    def operator_key(self):
        """The first operator's key."""
        return (self.data / "keys/operator.key").read_text().strip()

    def client(self):
        """A client with the owner's key."""
        return Client(self.url, self.key)

    def start(self, listen="127.0.0.1:0"):
        """Starts the process and waits until it is ready. Gives itself back."""
        self._address_file.unlink(missing_ok=True)
        command = [self.binary, "serve", "--data", str(self.data), "--listen", listen]
        command += ["--address-file", str(self._address_file), "--tenant", self.tenant, *self.extra]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        self.url = self._until(deadline, self._address)
        self._until(deadline, self._ready)
        return self

    def _until(self, deadline, look):
        while True:
            found = look()
            if found:
                return found
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server was not ready after {START_SECONDS} s:\n{self.log_tail()}")
            time.sleep(0.01)

    def _address(self):
        try:
            match = re.fullmatch(r"http://\S+:\d+", self._address_file.read_text().strip())
        except FileNotFoundError:
            return None
        return match and match.group()

    def _ready(self):
        try:
            return Client(self.url).send("GET", "/readyz").status == 200
        except (ConnectionError, http.client.HTTPException):
            return False

    def listen_address(self):
        """Where it listens now, so that it can be started at the same place again."""
        return self.url.removeprefix("http://")

    def alive(self):
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Asks it to end (SIGTERM) and waits. Anything but an orderly end is an error."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=START_SECONDS)
        if code not in (0, -signal.SIGTERM):
            raise RuntimeError(f"the server ended with {code}:\n{self.log_tail()}")

    def kill(self):
        """`kill -9`."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def end(self):
        """Stops it; what it did that no server should, as lines of text."""
        failures = []
        if self.alive():
            self.stop()
        else:
            failures.append(f"the server is gone:\n{self.log_tail()}")
        if "panicked at" in self.log.read_text(errors="replace"):
            failures.append("the server's log tells of a panic")
        return failures

    def log_tail(self, lines=20):
        """The end of what it said."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def conclude(failures, work):
    """Ends a job: what failed is told and the server's folder kept; if nothing did, the folder goes."""
    for failure in failures[:50]:
        print(f"FAILED {failure}")
    if failures:
        sys.exit(f"the server's folder and log are kept in {work}")
    shutil.rmtree(work)


def run_json(command):
    """Runs a command of the binary that prints one JSON report (other lines may stand before it), and gives the report."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:2])} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    start = done.stdout.find("{")
    if start < 0:
        raise RuntimeError(f"{' '.join(command[:2])} printed no JSON report: {done.stdout[:500]!r}")
    return json.loads(done.stdout[start:])


def last_position(acks):
    """The highest position of an importer's acknowledgements."""
    return max((ack["position"] for ack in acks), key=index_of)


def index_of(position):
    """The index in a position, `<incarnation>-<index>`."""
    return int(position.rsplit("-", 1)[1])


def key_from(text):
    """An API key given as itself, or as `@FILE`."""
    return Path(text[1:]).read_text().strip() if text.startswith("@") else text


def cores():
    """How many threads are worth having; Python runs one at a time, the rest wait for the server."""
    return min(8, 2 * (os.cpu_count() or 1))

"""Real NATS servers on loopback for a drill, as durable as the shipped configuration, and the ledger on them."""

import contextlib
import json
import os
import random
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("PROMPTORY_NATS_SERVER", str(ROOT / "target/tools/nats/bin/nats-server"))
START_SECONDS = 30


def free_ports(count):
    """Ports that nobody listens on now, and that no connection is given (Linux gives 32768 and more)."""
    held = []
    while len(held) < count:
        with contextlib.suppress(OSError):
            held.append(socket.create_server(("127.0.0.1", random.randrange(10240, 32768))))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class NatsServers:
    """One server, or a cluster of three, with a ledger made by `promptory init`. For `with`: they are gone after it."""

    def __init__(self, folder, count):
        if not Path(BINARY).is_file():
            raise RuntimeError(f"{BINARY} is not there; ./test --only nats-server installs it")
        self.folder, self.count, self.processes = Path(folder), count, []
        self.root_key = self.folder / "root.key"
        ports = free_ports(3 * count)
        self.ports = [tuple(ports[3 * number : 3 * number + 3]) for number in range(count)]

    @property
    def arguments(self):
        """What tells `promptory` where the ledger and its keys are."""
        servers = ",".join(f"nats://127.0.0.1:{client}" for client, _, _ in self.ports)
        return ["--ledger", servers, "--root-key", str(self.root_key)]

    def __enter__(self):
        try:
            for number in range(self.count):
                self._start(number)
            deadline = time.monotonic() + START_SECONDS
            for _, monitor, _ in self.ports:
                self._until_healthy(monitor, deadline)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def init(self, binary, *more):
        """Makes the streams and the root key."""
        command = [str(binary), "init", *self.arguments, "--replicas", str(self.count), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"init ended with {done.returncode}: {done.stderr[-2000:]}")

    def _start(self, number):
        client, monitor, route = self.ports[number]
        folder = self.folder / f"n{number}"
        folder.mkdir(parents=True)
        # JSON is a form that the server reads too.
        config = {
            "server_name": f"n{number}",
            "listen": f"127.0.0.1:{client}",
            "http": f"127.0.0.1:{monitor}",
            "max_payload": 8 * 1024 * 1024,
            "jetstream": {"store_dir": str(folder / "store"), "sync_interval": "always"},
        }
        if self.count > 1:
            routes = [f"nats://127.0.0.1:{other}" for at, (_, _, other) in enumerate(self.ports) if at != number]
            config["cluster"] = {"name": "drill", "listen": f"127.0.0.1:{route}", "routes": routes}
        (folder / "nats.conf").write_text(json.dumps(config))
        with open(folder / "log", "wb") as log:
            command = [BINARY, "-c", str(folder / "nats.conf")]
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _until_healthy(self, monitor, deadline):
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/healthz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"a NATS server was not ready after {START_SECONDS} s; logs in {self.folder}")
            time.sleep(0.05)

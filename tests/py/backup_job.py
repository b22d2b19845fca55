#!/usr/bin/env python3
"""Backs a busy server up, destroys it, restores it on NATS servers, and from there into a folder again.

Holds if everything that was acknowledged before the backup began is in it, every digest (of the ledger's bytes, of the
models, of the histories) is at the backup's position what it was in the ledger that was lost, in both forms, texts are
answered after the restore, and the whole history over HTTP has the digest that was folded. Prints how long each step took:
the recovery time is that from the two files to a server that answers.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from history_digest import history_digest
from main_job import import_file
from nats_servers import NatsServers
from promptory_client import Refused, Server, index_of, run_json

TENANT = "history"
# Commands in one request, two events each.
COMMANDS = 250
WRITERS = 4
# Before a request is sent again that came at a bad time.
OVERLOADED_SECONDS = 0.05


class Load:
    """Clients that write for as long as they are let, and know the last index that was acknowledged."""

    def __init__(self, client, acknowledged, pause=0.0):
        self.client, self.pause = client, pause
        self.acknowledged, self.failure = acknowledged, None
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def _write(self, writer):
        number = 0
        try:
            while not self._stop.is_set():
                number += 1
                made = [
                    {"type": "create_prompt", "key": f"load/{id(self)}/{writer}/{number}/{n}", "text": f"text {number}.{n}"}
                    for n in range(COMMANDS)
                ]
                results = self._sent(made)
                bad = [result for result in results if result["status"] >= 300]
                if bad:
                    raise AssertionError(f"a command was refused: {bad[0]}")
                with self._lock:
                    self.acknowledged = max(self.acknowledged, *(index_of(r["position"]) for r in results))
                self._stop.wait(self.pause)
        except (Refused, AssertionError, OSError) as failure:
            self.failure = failure

    def _sent(self, made):
        # Nothing of a request is done that was refused because too much waits already.
        while True:
            try:
                return self.client.call("POST", "/v1/commands", {"commands": made})["results"]
            except Refused as refused:
                if refused.status != 429:
                    raise
                time.sleep(OVERLOADED_SECONDS)

    def until(self, index):
        """Waits until an index was acknowledged."""
        while self.acknowledged < index and not self.failure:
            time.sleep(0.02)

    def stop(self):
        """Ends it; what went wrong is raised. Gives the last index that was acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.failure:
            raise RuntimeError(f"the load ended: {self.failure}")
        return self.acknowledged


class Drill:
    """The drill, in a folder of its own."""

    def __init__(self, binary, work, events):
        self.binary, self.work, self.events = str(binary), work, events
        self.key = work / "backup.key"
        self.key.touch(mode=0o600)
        self.key.write_text(os.urandom(32).hex())

    def command(self, name, *args):
        """Runs a command that prints a report; gives the report, and prints how long it took."""
        began = time.monotonic()
        report = run_json([self.binary, name, *map(str, args)])
        print(f"{name:8} {time.monotonic() - began:7.1f} s  {shown(report)}", flush=True)
        return report

    def files(self, name):
        """The two files of a backup."""
        return self.work / f"{name}.ledger", self.work / f"{name}.keys"

    def kept(self, name, *place):
        """Compares a ledger with a backup; every digest must be the same. Gives the tenants' digests."""
        ledger, keys = self.files(name)
        report = self.command("verify", *place, "--against", ledger, "--keys", keys, "--backup-key", self.key)
        if not (report["holds"] and report["against"]["equal"]):
            raise AssertionError(f"the ledger is not what was backed up: {report['against']['differences']}, {report['problems']}")
        fields = ("events", "ledger_digest", "model_digest", "history_digest")
        return {t["tenant"]: tuple(t[field] for field in fields) for t in report["tenants"]}

    def backed_up(self, server, reached):
        """A backup under load. Gives the last index that was acknowledged before it, and how many came after."""
        load = Load(server.client(), reached, pause=0.05)
        try:
            load.until(reached + 1)
            before, began = load.acknowledged, time.monotonic()
            ledger, keys = self.files("first")
            operator = server.data / "keys/operator.key"
            self.command("backup", "--url", server.url, "--key-file", operator, "--out", ledger, "--keys-out", keys)
        finally:
            after = load.stop()
        seconds = time.monotonic() - began
        print(f"acknowledged before the backup: {before + 1} events; {after - before} more in the {seconds:.1f} s that it took")
        return before

    def run(self, file):
        """The whole of it."""
        server = Server(self.binary, self.work / "lost", TENANT, ["--backup-key", str(self.key)])
        with server.start():
            reached = index_of(import_file(server, file))
            if reached < self.events:
                filling = Load(server.client(), reached)
                filling.until(self.events)
                reached = filling.stop()
            before = self.backed_up(server, reached)
            server.kill()
        truth = self.kept("first", "--data", server.data)
        if truth[TENANT][0] <= before:
            raise AssertionError(f"event {before} was acknowledged before the backup, which ends at {truth[TENANT][0]}")
        keys = self.work / "keys"
        shutil.copytree(server.data / "keys", keys)
        shutil.rmtree(server.data)
        print("everything is destroyed but two files, the backup key and the API keys", flush=True)
        with NatsServers(self.work / "nats", 1) as nats:
            nats.init(self.binary, "--partitions", "4")
            self.on_nats(nats, truth)
        self.in_a_folder(keys, truth)

    def on_nats(self, nats, truth):
        """The backup on a NATS server, and a backup of that."""
        place = nats.arguments
        ledger, keys = self.files("first")
        self.command("restore", "--from", ledger, "--keys", keys, "--backup-key", self.key, *place)
        same(truth, self.kept("first", *place), "on the NATS server")
        ledger, keys = self.files("second")
        self.command("backup", *place, "--out", ledger, "--keys-out", keys, "--backup-key", self.key)

    def in_a_folder(self, keys, truth):
        """The second backup in a folder, with a server on it."""
        ledger, exported = self.files("second")
        server, began = Server(self.binary, self.work / "again", TENANT), time.monotonic()
        shutil.copytree(keys, server.data / "keys")
        self.command("restore", "--from", ledger, "--keys", exported, "--backup-key", self.key, "--data", server.data)
        with server.start():
            client = server.client()
            status = client.get("/v1/status")
            print(f"recovery {time.monotonic() - began:7.1f} s  from two files to a server that answers, {truth[TENANT][0]} events")
            if index_of(status["position"]) != truth[TENANT][0] - 1:
                raise AssertionError(f"the server stands at {status['position']}, the backup ended at {truth[TENANT][0] - 1}")
            digest, lines = history_digest(client)
            if digest != truth[TENANT][3]:
                raise AssertionError(f"history digest {digest} over {lines} lines over HTTP, was {truth[TENANT][3]}")
            print(f"history digest over HTTP, {lines} lines: the same")
            # Not by the client that has been silent while it computed: the server closes what is idle.
            server.client().call("POST", "/v1/prompts", {"key": "after", "text": "the new life goes on"})
            server.stop()
        same(truth, self.kept("first", "--data", server.data), "in the folder")


def same(truth, now, where):
    """Every digest is what it was in the ledger that was lost."""
    if truth != now:
        raise AssertionError(f"digests differ {where}: {truth}, now {now}")
    print(f"{len(now)} tenants {where}: ledger, model and history digests are those of the ledger that was lost", flush=True)


def shown(report):
    """A report in a line: numbers only."""
    if "tenants" in report and isinstance(report["tenants"], list):
        return f"{sum(t['events'] for t in report['tenants'])} events folded"
    size = f", {report['bytes'] / 2**20:.1f} MiB" if "bytes" in report else ""
    return f"{report['events']} events in {report['batches']} batches of {report['tenants']} tenants{size}"


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the history that is imported first (*.jsonl.gz)")
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--events", type=int, default=0, help="so many events before the backup")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="promptory-backup-"))
    try:
        Drill(Path(args.binary).resolve(), work, args.events).run(args.data)
    except (RuntimeError, AssertionError, Refused, OSError, subprocess.CalledProcessError) as failure:
        sys.exit(f"FAILED {failure}\nthe folders are kept in {work}")
    shutil.rmtree(work)
    print("held")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Kills the server at random moments of an import, starts it again, resumes the import, and compares with an undisturbed one.

A round holds if everything that was acknowledged is there right after each restart (before anything is sent again) and at
the end, nothing is there twice, the history digest is the undisturbed one, and the model's digest is that of a rebuild. Every
read model is what the ledger leads to, and searching finds what it finds undisturbed. Some rounds damage or delete the read models
in between.
The moments come from --seed; the same seed gives the same plan, not the same interleaving.
"""

import argparse
import collections
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dataset import read_lines
from history_digest import history_digest
from promptory_client import Refused, Server, index_of, last_position, run_json

TENANT = "drill"
# An import that does not get through after so many runs never will.
RUNS_MAX = 40
IMPORT_SECONDS = 900
# How long the other read models may need to come as far as the catalog, and to be checked.
MODELS_SECONDS = 60
# What is searched for: words, a beginning, a misspelt word, a piece of a text without spaces.
SOUGHT = ["act", "write code", "summ*", "pyhton", "\u4f60"]


class Importer:
    """One run of `promptory import jsonl`, with its own log of what was acknowledged."""

    def __init__(self, server, file, folder, run, batch=500):
        self.acks_file = folder / f"acks-{run}.jsonl"
        self.log = folder / "import.log"
        command = [server.binary, "import", "jsonl", str(file), "--url", server.url, "--batch", str(batch)]
        command += ["--key-file", str(server.key_file), "--ack-log", str(self.acks_file)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def finish(self):
        """Waits for its end; whether the import is complete."""
        return self.process.wait(timeout=IMPORT_SECONDS) == 0

    def kill(self):
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def running(self):
        """Whether it still runs."""
        return self.process.poll() is None

    def acknowledged_bytes(self):
        """How long its log is: cheap enough to look at all the time."""
        return self.acks_file.stat().st_size if self.acks_file.exists() else 0

    def acks(self):
        """What was acknowledged. A torn last line (the importer was killed as it wrote) was not."""
        text = self.acks_file.read_bytes() if self.acks_file.exists() else b""
        return [json.loads(line) for line in text.split(b"\n")[:-1]]


class Outcome:
    """What a finished import left behind, as the comparison needs it."""

    def __init__(self, server, acks):
        client = server.client()
        # The read side follows: only `at_least` says that it has everything that was acknowledged.
        position = last_position(acks)
        self.status = client.get("/v1/status", at_least=position)
        self.models = checked_models(client, position)
        self.found = {words: found(client, words, position) for words in SOUGHT}
        self.digest, self.lines = history_digest(client)
        self.events = list(client.events())
        self.kinds = collections.Counter(e["type"] for e in self.events if e["prompt"] is not None)
        self.commands = collections.defaultdict(set)
        for ack in acks:
            self.commands[ack["line"]].add(ack["command_id"])


class Drill:
    """The rounds over one or more files."""

    def __init__(self, binary, work, seed):
        self.binary, self.work, self.seed = str(Path(binary).resolve()), Path(work), seed
        self.baselines = {}
        self.kills = self.kills_inside = 0
        self._address = None
        self.failures = []

    def baseline(self, file):
        """The undisturbed import of a file, on a server of its own; made once."""
        if file not in self.baselines:
            folder = self._folder(f"undisturbed-{len(self.baselines)}")
            with Server(self.binary, folder / "data", TENANT).start() as server:
                importer = Importer(server, file, folder, 0)
                if not importer.finish():
                    raise RuntimeError(f"the undisturbed import failed:\n{tail(importer.log)}")
                outcome = Outcome(server, importer.acks())
                lines = len(read_lines(file))
                if len(outcome.commands) != lines:
                    raise RuntimeError(f"{len(outcome.commands)} of {lines} lines were acknowledged undisturbed")
                self.baselines[file] = (outcome, importer.acknowledged_bytes())
                server.stop()
        return self.baselines[file]

    def round(self, number, file):
        """One round: import under fire, then compare. Gives the line to print."""
        rng = random.Random(f"{self.seed}/{number}")
        undisturbed, log_bytes = self.baseline(file)
        folder = self._folder(f"round-{number}")
        server = Server(self.binary, folder / "data", TENANT)
        first = kill_while_starting(server, rng) if rng.random() < 0.5 else ""
        with server.start():
            acks, story, problems = self._import_under_fire(server, file, folder, rng, log_bytes)
            outcome = Outcome(server, acks)
            problems += differences(undisturbed, outcome, acks) + self._at_rest(server, outcome)
            server.kill()
        self.failures += [f"round {number} (seed {self.seed}): {problem}" for problem in problems]
        if not problems:
            shutil.rmtree(folder)
        name = Path(file).name.removesuffix(".jsonl.gz") + first
        verdict = "ok" if not problems else f"{len(problems)} FAILED, kept in {folder}"
        return f"round {number}: {name}: {', '.join(story)}: {len(acks)} acknowledged, {len(outcome.events)} events: {verdict}"

    def _import_under_fire(self, server, file, folder, rng, log_bytes):
        """Kills, damages, restarts and resumes until an import gets through."""
        kills_left, acks, story, problems = rng.randint(1, 3), [], [], []
        for run in range(RUNS_MAX):
            # Small requests, so that there are many moments; now and then the usual ones.
            importer = Importer(server, file, folder, run, rng.choice([3, 20, 20, 100, 500]))
            last = not kills_left
            if not last:
                kills_left -= 1
                story.append(self._kill(server, importer, rng, log_bytes))
                problems += survivors(server, acks + importer.acks())
                self._back(server, importer, rng, story)
            done = importer.finish()
            acks += importer.acks()
            if done and last:
                return acks, story, problems
        raise RuntimeError(f"the import did not get through in {RUNS_MAX} runs:\n{tail(importer.log)}\n{server.log_tail()}")

    def _kill(self, server, importer, rng, log_bytes):
        """Waits for a moment, kills the server, and does worse to it while it is down. Gives what was done."""
        moment = rng.random() * log_bytes
        while importer.running() and importer.acknowledged_bytes() < moment:
            time.sleep(0.0005)
        time.sleep(rng.random() * 0.02)
        inside = importer.running()
        self._address = server.listen_address()
        server.kill()
        self.kills += 1
        self.kills_inside += inside
        how = "killed" if inside else "killed after the import"
        how += damage(server.data / "models" / TENANT, rng)
        return how + (kill_while_starting(server, rng) if rng.random() < 0.25 else "")

    def _back(self, server, importer, rng, story):
        """Goes on: with the importer that runs, at the address that it knows, or with another importer."""
        if rng.random() < 0.5:
            server.kill()
            server.start(self._address)
        else:
            importer.kill()
            story[-1] += ", the importer too"

    def _at_rest(self, server, outcome):
        """The model's digest: the same in the running server, at rest, after a rebuild, and folded from the ledger alone."""
        server.stop()
        place = ["--data", str(server.data), "--tenant", TENANT]
        replayed = run_json([self.binary, "replay", *place])
        rebuilt = run_json([self.binary, "rebuild", *place])
        running = outcome.status["model_digest"]
        digests = {"running": running, "replayed": replayed["model_digest"]}
        digests |= {"before the rebuild": rebuilt["model_digest_before"], "after the rebuild": rebuilt["model_digest_after"]}
        problems = [] if set(digests.values()) == {running} else [f"model digests differ: {digests}"]
        if replayed["history_digest"] != outcome.digest:
            problems.append(f"history digest {outcome.digest} over HTTP, {replayed['history_digest']} folded from the ledger")
        return problems

    def _folder(self, name):
        folder = self.work / name
        folder.mkdir(parents=True)
        return folder


def soon(what, look):
    """Looks until it sees something."""
    until = time.monotonic() + MODELS_SECONDS
    while (seen := look()) is None:
        if time.monotonic() > until:
            raise RuntimeError(f"{what}: not within {MODELS_SECONDS} s")
        time.sleep(0.05)
    return seen


def checked_models(client, position):
    """How each read model stands against the ledger, folded anew."""

    def look():
        models = client.get("/v1/models", check="true", at_least=position)["models"]
        there = [m["checked"] for m in models if m["position"] and index_of(m["position"]) >= index_of(position)]
        at_its_end = [c for c in there if c and c["index"] >= index_of(position)]
        return models if len(at_its_end) == len(models) else None

    return soon("the check of the read models", look)


def found(client, words, position):
    """How many prompts are found, and the first of them, in the order of their keys."""

    def look():
        try:
            return client.get("/v1/search", q=words, sort="key", limit=100, at_least=position)
        except Refused as refused:
            if refused.code != "behind":
                raise
            return None

    page = soon("the search", look)
    return page["total"], [(hit["key"], hit["number"], hit["labels"]) for hit in page["hits"]]


def kill_while_starting(server, rng):
    """A start that does not get to its end; the very first one may be such a one."""
    command = [server.binary, "serve", "--data", str(server.data), "--listen", "127.0.0.1:0"]
    with open(server.log, "ab") as log:
        start = subprocess.Popen([*command, "--tenant", server.tenant], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    # Mostly short: a start is done within some tens of milliseconds.
    time.sleep(rng.random() ** 3 * 0.3)
    start.kill()
    start.wait()
    return ", killed while starting"


def damage(model, rng):
    """Leaves the read model alone, deletes it, or breaks a file of it. It can be rebuilt from the ledger, whatever happens."""
    kind = rng.choice(["left alone", "left alone", "deleted", "truncated", "overwritten"])
    if kind == "left alone" or not model.exists():
        return ""
    if kind == "deleted":
        shutil.rmtree(model)
        return ", model deleted"
    files = sorted(p for p in model.rglob("*") if p.is_file() and p.stat().st_size)
    if not files:
        return ""
    file = rng.choice(files)
    size = file.stat().st_size
    with open(file, "r+b") as broken:
        if kind == "truncated":
            broken.truncate(rng.randrange(size))
        else:
            broken.seek(rng.randrange(size))
            broken.write(rng.randbytes(min(4096, size)))
    return f", model file {kind}"


def differences(undisturbed, outcome, acks):
    """What the round left that an undisturbed import does not, or the other way round."""
    problems = []
    if outcome.digest != undisturbed.digest:
        problems.append(f"history digest {outcome.digest} over {outcome.lines} lines, undisturbed {undisturbed.digest} over {undisturbed.lines}")
    if outcome.kinds != undisturbed.kinds:
        problems.append(f"events {dict(outcome.kinds)}, undisturbed {dict(undisturbed.kinds)}")
    problems += [f"the {m['view']} is not what the ledger leads to: {m}" for m in outcome.models if m["stopped"] or not m["checked"]["equal"]]
    for words, there in undisturbed.found.items():
        if outcome.found[words] != there:
            problems.append(f"searching {words!r} finds {outcome.found[words]}, undisturbed {there}")
    problems += lost(outcome.events, acks)
    for line, commands in undisturbed.commands.items():
        told = outcome.commands.get(line, set())
        if len(told) != len(commands):
            problems.append(f"line {line} was acknowledged as {len(told)} commands, undisturbed as {len(commands)}")
    owners = collections.defaultdict(set)
    for line, commands in outcome.commands.items():
        for command in commands:
            owners[command].add(line)
    problems += [f"command {c} stands for lines {sorted(lines)}" for c, lines in owners.items() if len(lines) > 1]
    doubled = {e["command_id"] for e in outcome.events if e["prompt"] is not None} - owners.keys()
    problems += [f"command {c} in the events belongs to no line" for c in sorted(doubled)]
    return problems[:20]


def survivors(server, acks):
    """Starts the server where no importer finds it, and looks for what was acknowledged before anything is sent again."""
    server.start()
    return [f"after a restart: {problem}" for problem in lost(list(server.client().events()), acks)[:5]]


def lost(events, acks):
    """Acknowledged commands that are not where the acknowledgement said."""
    problems = []
    at = {event["index"]: event for event in events}
    for ack in acks:
        index = index_of(ack["position"])
        event = at.get(index)
        if event is None or event["command_id"] != ack["command_id"]:
            there = "nothing" if event is None else event["command_id"]
            problems.append(f"line {ack['line']}: {ack['command_id']} was acknowledged at {index}, there is {there}")
    return problems


def tail(file, lines=10):
    """The end of a log."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, metavar="FILE", help="*.jsonl.gz; the rounds take turns")
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", help="an empty folder for the servers' data; a temporary one otherwise")
    args = parser.parse_args()
    work = Path(args.work or tempfile.mkdtemp(prefix="promptory-kill-"))
    drill = Drill(args.binary, work, args.seed)
    for number in range(1, args.rounds + 1):
        try:
            print(drill.round(number, args.data[(number - 1) % len(args.data)]), flush=True)
        except (RuntimeError, AssertionError, Refused, OSError, subprocess.TimeoutExpired) as failure:
            drill.failures.append(f"round {number} (seed {args.seed}): {failure}")
            print(f"round {number}: FAILED, kept in {work}", flush=True)
    for failure in drill.failures:
        print(f"FAILED {failure}")
    print(f"{args.rounds} rounds, {drill.kills} kills, {drill.kills_inside} of them inside the import; {len(drill.failures)} failures")
    if not drill.kills_inside:
        sys.exit("no kill fell inside an import: nothing was shown")
    if drill.failures:
        sys.exit(1)
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()

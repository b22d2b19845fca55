#!/usr/bin/env python3
"""Real histories in over HTTP, out as a git repository, and asked of git: does it show what the original repository showed?

Per data set, a tenant on a server of its own: every point (a path at a time) by `git rev-list --until` and `git show`,
every snapshot (all paths at a commit) by the commit whose trailer names its last event. Then the same history goes out as
NDJSON and into an empty tenant: the history digest that Python recomputes must be the same on both.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dataset import History, data_files, key_of, oracle_of, read_lines
from history_digest import history_digest
from main_job import import_file
from promptory_client import Refused, Server, cores, last_position

SUFFIX = ".txt"
SYNC = Path(__file__).resolve().parents[2] / "deploy/git-sync/sync.sh"
SHOWN = 10


def path_of(key):
    """The path of a text's file, from its description alone (docs/operations.md)."""

    def segment(name):
        if not name:
            return "%"
        plain = "".join(c for c in name if c.isascii())
        odd = plain.startswith(".") or plain.lower().startswith("git~")
        first = next((i for i, c in enumerate(name) if c.isascii()), None) if odd else None
        return "".join(f"%{ord(c):02X}" if c in "%\\" or i == first else c for i, c in enumerate(name))

    *folders, file = [segment(name) for name in key.split("/")]
    dotted = re.compile(r"\.(json|txt)$")
    return "/".join([dotted.sub(r"%2E\1", folder) for folder in folders] + [file + SUFFIX])


def git(repository, *args, data=None):
    """What git prints; nothing if it refuses."""
    command = ["git", "-C", str(repository), "--literal-pathspecs", *args]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def sha256(data):
    """In hex; nothing of nothing."""
    return None if data is None else hashlib.sha256(data).hexdigest()


class Comparison:
    """One data set's repository against what the original one said."""

    def __init__(self, file, repository):
        self.name, self.oracle = oracle_of(file)
        self.history, self.repository = History(read_lines(file)), repository
        self.mismatches = []

    def expect(self, what, told, truth):
        """Notes a difference."""
        if told != truth:
            self.mismatches.append(f"{what}: git says {str(told)[:100]} of the export, {str(truth)[:100]} of the original")

    def points(self):
        """Each path at each time."""

        def told(point):
            path = path_of(key_of(point["path"]))
            found = git(self.repository, "rev-list", "-1", f"--until={point['time']}", "main", "--", path)
            if not found or not found.strip():
                return None
            return sha256(git(self.repository, "show", f"{found.decode().strip()}:{path}"))

        points = self.oracle["points"]
        with ThreadPoolExecutor(cores()) as pool:
            for point, sha in zip(points, pool.map(told, points)):
                self.expect(f"{point['path']!r} at {point['time']}", sha, point["content_sha256"])
        return len(points)

    def commits(self):
        """The last index of each commit on `main`, in order, and the commit."""
        log = git(self.repository, "log", "--reverse", "--format=%H %(trailers:key=Promptory-Index,valueonly,separator=%x2C)", "main")
        lines = [line.split(" ") for line in log.decode().splitlines()]
        return [(int(index.rsplit("-", 1)[1]), commit) for commit, index in lines]

    def snapshots(self, client):
        """All paths at a commit: that whose events end with the last one of the snapshot's lines."""
        ends = []
        for event in client.events():
            if event["prompt"] and (not ends or ends[-1][0] != event["command_id"]):
                ends.append([event["command_id"], event["index"]])
            elif event["prompt"]:
                ends[-1][1] = event["index"]
        commits = dict(self.commits())
        for snapshot in self.oracle["snapshots"]:
            index = ends[self.history.lines_until(snapshot["seq"]) - 1][1]
            if index not in commits:
                self.mismatches.append(f"commit {snapshot['seq']}: no commit of the export ends with event {index}")
                continue
            truth = {path_of(key_of(path)): sha for path, sha in snapshot["paths"].items()}
            told = self.tree(commits[index])
            for path in sorted(told.keys() | truth.keys()):
                self.expect(f"commit {snapshot['seq']}: {path!r}", told.get(path), truth.get(path))
        return len(self.oracle["snapshots"])

    def tree(self, commit):
        """Path -> hash of its content, at a commit."""
        listing = git(self.repository, "ls-tree", "-r", "-z", commit).decode().split("\0")
        files = [(entry.split("\t", 1)[1], entry.split("\t", 1)[0].split(" ")[2]) for entry in listing if entry]
        files = [(path, blob) for path, blob in files if not path.startswith(".promptory/")]
        out = git(self.repository, "cat-file", "--batch", data="".join(blob + "\n" for _, blob in files).encode())
        found, place = {}, 0
        for path, _ in files:
            end = out.index(b"\n", place)
            size = int(out[place:end].split(b" ")[2])
            found[path] = sha256(out[end + 1 : end + 1 + size])
            place = end + 1 + size + 1
        return found


def promptory(server, *args):
    """Runs a command of the binary at the server."""
    command = [server.binary, *map(str, args), "--url", server.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:4])} ended with {done.returncode}: {done.stderr[-2000:]}")
    return (done.stdout + done.stderr).splitlines()


def moved(binary, work, name, server):
    """The history out as NDJSON and into an empty tenant on another server; gives what went wrong."""
    out = work / "history.ndjson"
    promptory(server, "export", "ndjson", out, "--key-file", server.key_file)
    here, _ = history_digest(server.client())
    with Server(binary, work / "copy", "copy").start() as other:
        acks = work / "moved.acks"
        promptory(other, "import", "ndjson", out, "--key-file", other.key_file, "--ack-log", acks)
        reached = last_position(json.loads(line) for line in acks.read_text().splitlines())
        other.client().get("/v1/status", at_least=reached)
        there, lines = history_digest(other.client())
    print(f"  history digest over {lines} lines: {here}; after NDJSON in an empty tenant: {'the same' if here == there else there}")
    return [] if here == there else [f"{name}: the digest is {here}, after moving {there}"]


def synced(binary, work):
    """The example of a sync with a git branch: a merge goes in, a release comes out; gives what went wrong."""
    work.mkdir()
    remote, checkout = work / "remote.git", work / "checkout"
    for command in (["init", "-q", "--bare", "-b", "main", remote], ["init", "-q", "-b", "main", checkout]):
        subprocess.run(["git", *map(str, command)], check=True)
    (checkout / "prompts/team").mkdir(parents=True)
    shown = []
    with Server(binary, work / "data", "sync").start() as server:
        environment = os.environ | {"PROMPTORY": str(binary), "PROMPTORY_URL": server.url, "PROMPTORY_KEY": server.key}
        for text in ("Hello.\n", "Good day.\n"):
            (checkout / "prompts/team/greet.md").write_text(text)
            who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgSign=false"]
            git(checkout, "add", "--all")
            git(checkout, *who, "commit", "-q", "-m", f"say {text.strip()}")
            subprocess.run([SYNC, "in", checkout], env=environment, check=True, capture_output=True)
            command = {"type": "set_label", "prompt": "team/greet", "label": "production", "version": len(shown) + 1}
            done = server.client().call("POST", "/v1/commands", {"commands": [command]})["results"][0]
            server.client().get("/v1/status", at_least=done["position"])
            subprocess.run([SYNC, "out", work / "mirror", remote], env=environment, check=True, capture_output=True)
            shown.append(git(remote, "show", "promptory/production:team/greet.md").decode())
        answer = server.client().prompt("team/greet", label="staging")
    log = git(remote, "log", "--format=%H", "promptory/production").decode().split()
    message = answer["version"]["message"]
    print(f"sync with a branch: released {shown}, in {len(log)} commits; the last merge's message: {message!r}")
    holds = shown == ["Hello.\n", "Good day.\n"] and len(log) == 2 and message.startswith("say Good day. (")
    return [] if holds else ["the sync with a git branch"]


def run(binary, work, file):
    """One data set; gives what went wrong."""
    work.mkdir()
    with Server(binary, work / "data", "history").start() as server:
        # The read side follows: only `at_least` says that it has everything.
        server.client().get("/v1/status", at_least=import_file(server, file))
        said = promptory(server, "export", "git", work / "repository", "--key-file", server.key_file)
        comparison = Comparison(file, work / "repository")
        points, snapshots = comparison.points(), comparison.snapshots(server.client())
        wrong = comparison.mismatches
        strict = git(work / "repository", "fsck", "--strict", "--no-dangling") is not None
        print(f"{comparison.name}: {len(wrong)} mismatches ({points} points, {snapshots} snapshots; fsck {'holds' if strict else 'FAILS'}); {said[0]}", flush=True)
        for mismatch in wrong[:SHOWN]:
            print(f"  {mismatch}")
        again = promptory(server, "export", "git", work / "repository", "--key-file", server.key_file)
        if not again[0].startswith("0 commits"):
            wrong.append(f"{comparison.name}: a second export says {again[0]}")
        return wrong + ([] if strict else [f"{comparison.name}: git fsck"]) + moved(binary, work, comparison.name, server)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="folders with *.jsonl.gz and *.oracle.json.gz, or files")
    parser.add_argument("--binary", default="target/release/promptory")
    args = parser.parse_args()
    work, wrong = Path(tempfile.mkdtemp(prefix="promptory-export-")), []
    try:
        wrong += synced(Path(args.binary).resolve(), work / "sync")
        for number, file in enumerate(data_files(args.data)):
            wrong += run(Path(args.binary).resolve(), work / str(number), file)
    except (RuntimeError, AssertionError, Refused, OSError) as failure:
        wrong.append(str(failure))
    for failure in wrong:
        print(f"FAILED {failure}")
    if wrong:
        sys.exit(f"the repositories and the servers' logs are kept in {work}")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compares what a server answers about imported edit histories with what git says (the oracle beside each data file).

Per data set: every point (a path at a time), every snapshot (all paths at a commit), the totals by kind and author.
One line a data set; ends with 1 on any mismatch. Run it after the import: `oracle.py DIR_OR_FILES --url URL --key KEY`.
"""

import argparse
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor

from dataset import History, data_files, key_of, oracle_of, read_lines
from promptory_client import Client, Refused, content_bytes, cores, key_from

SHOWN = 10


class Contents:
    """SHA-256 of the content of (prompt, version number), each fetched once: versions never change."""

    def __init__(self, client, pool):
        self.client, self.pool, self.known = client, pool, {}

    def of(self, summaries):
        """Key -> hash for a listing."""
        wanted = {(s["id"], s["versions"]): s["latest"] for s in summaries}
        missing = [(*which, latest) for which, latest in wanted.items() if which not in self.known]
        self.known.update(self.pool.map(self._fetch, missing))
        return {s["key"]: self.known[s["id"], s["versions"]] for s in summaries}

    def _fetch(self, wanted):
        prompt, number, latest = wanted
        answer = self.client.prompt(prompt, version=number)
        if answer["version"]["id"] != latest or answer["version"]["number"] != number:
            return (prompt, number), f"version {number} of {prompt} is not the {latest} that the listing named"
        return (prompt, number), hashlib.sha256(content_bytes(answer)).hexdigest()


class Comparison:
    """One data set against one server."""

    def __init__(self, client, pool, file, prefix):
        self.client, self.pool, self.prefix = client, pool, prefix
        self.name, self.oracle = oracle_of(file)
        self.history = History(read_lines(file), prefix)
        self.contents = Contents(client, pool)
        self.mismatches = []

    def expect(self, what, told, truth):
        """Notes a difference."""
        if told != truth:
            self.mismatches.append(f"{what}: the server says {str(told)[:200]}, git says {str(truth)[:200]}")

    def points(self):
        """Each path at each time. Absent means `prompt-not-found`, and nothing else does."""

        def told(point):
            try:
                answer = self.client.prompt(self.prefix + key_of(point["path"]), as_of=point["time"], clock="occurred")
            except Refused as refused:
                return None if (refused.status, refused.code) == (404, "prompt-not-found") else str(refused)
            return hashlib.sha256(content_bytes(answer)).hexdigest()

        points = self.oracle["points"]
        for point, sha in zip(points, self.pool.map(told, points)):
            self.expect(f"{point['path']!r} at {point['time']}", sha, point["content_sha256"])
        return f"{len(points)} points"

    def commands(self):
        """This data set's events, grouped by the command that made them, in index order: one group a line."""
        groups, last = [], None
        for event in self.client.events():
            if event["key"] not in self.history.keys:
                continue
            if event["command_id"] != last:
                groups.append([])
                last = event["command_id"]
            groups[-1].append(event)
        ids = {group[0]["command_id"] for group in groups}
        self.expect("commands that are not in one piece", len(groups) - len(ids), 0)
        self.expect("commands, one a line", len(groups), len(self.history.lines))
        return groups

    def snapshots(self, groups):
        """All paths at a commit, asked by index; and at its time, which is the same where no clock went back."""
        exact = 0
        for snapshot in self.oracle["snapshots"]:
            truth = {self.prefix + key_of(path): sha for path, sha in snapshot["paths"].items()}
            lines = self.history.lines_until(snapshot["seq"])
            if lines > len(groups):
                self.expect(f"commit {snapshot['seq']}", f"{len(groups)} commands", f"{lines} lines up to it")
                continue
            index = groups[lines - 1][-1]["index"]
            self._compare(f"commit {snapshot['seq']} by index {index}", self._listing(as_of=index), truth)
            # Where committers' clocks went back a time does not name one commit: there the model answers, not git.
            by_time = self.history.at(snapshot["time"])
            exact += by_time == truth
            told = self._listing(as_of=snapshot["time"], clock="occurred")
            self._compare(f"commit {snapshot['seq']} by time {snapshot['time']}", told, by_time)
        return f"{len(self.oracle['snapshots'])} snapshots by index and by time ({exact} times name one commit)"

    def _listing(self, **as_of):
        summaries = [s for s in self.client.listing(prefix=self.prefix, **as_of) if s["key"] in self.history.keys]
        keys = [s["key"] for s in summaries]
        self.expect(f"keys twice in the listing at {as_of}", len(keys) - len(set(keys)), 0)
        return self.contents.of(summaries)

    def _compare(self, what, told, truth):
        for key in sorted(told.keys() | truth.keys()):
            self.expect(f"{what}: {key!r}", told.get(key), truth.get(key))

    def totals(self, groups):
        """Live prompts; added, removed and changed without rename detection, in total and by author."""
        said = self.oracle["totals"]
        kinds, authors = {"added": 0, "removed": 0, "changed": 0}, {}
        for group in groups:
            names = [event["type"] for event in group]
            for event in group:
                for kind in rename_free(event, names):
                    kinds[kind] += 1
                    authors[event["author"]] = authors.get(event["author"], 0) + 1
        self.expect("totals", kinds, {kind: said["rename_free"][kind] for kind in kinds})
        self.expect("total", sum(kinds.values()), said["rename_free_total"])
        told_authors, true_authors = authors, said["rename_free_per_author"]
        for author in sorted(told_authors.keys() | true_authors.keys(), key=str):
            self.expect(f"changes by {author}", told_authors.get(author), true_authors.get(author))
        alive = sum(s["key"] in self.history.keys for s in self.client.listing(prefix=self.prefix))
        self.expect("alive", alive, said["alive"])
        return f"{alive} alive, {sum(kinds.values())} changes by {len(authors)} authors"

    def run(self):
        """Everything; the line to print."""
        groups = self.commands()
        said = [self.points(), self.snapshots(groups), self.totals(groups), f"{len(groups)} commands"]
        return f"{self.name}: {len(self.mismatches)} mismatches ({'; '.join(said)})"


def rename_free(event, names):
    """What an event counts as without rename detection, given the names of all events of its command."""
    kind = event["type"]
    if kind in ("prompt.created", "prompt.restored"):
        return ["added"]
    if kind == "prompt.archived":
        return ["removed"]
    if kind == "prompt.renamed":
        return ["removed", "added"]
    edited = kind == "version.added" and event["detail"]["number"] > 1 and "prompt.renamed" not in names
    return ["changed"] if edited else []


def compare(client, places, prefix=""):
    """Compares every data set; prints a line each; gives the number of mismatches."""
    total = 0
    with ThreadPoolExecutor(cores()) as pool:
        for file in data_files(places):
            comparison = Comparison(client, pool, file, prefix)
            print(comparison.run(), flush=True)
            for mismatch in comparison.mismatches[:SHOWN]:
                print(f"  {mismatch}")
            total += len(comparison.mismatches)
    return total


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="folders with *.jsonl.gz and *.oracle.json.gz, or the *.jsonl.gz files")
    parser.add_argument("--url", required=True, help="http://HOST:PORT of the server")
    parser.add_argument("--key", required=True, help="an API key that may read, or @FILE")
    parser.add_argument("--prefix", default="", help="what the importer put before each path")
    args = parser.parse_args()
    sys.exit(1 if compare(Client(args.url, key_from(args.key)), args.data, args.prefix) else 0)


if __name__ == "__main__":
    main()

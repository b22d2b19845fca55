"""The edit histories under test: how they are read, which key a path becomes, and the plainest model of a past state.

The model is written from the contract alone (effective time = the latest claimed time of a prompt's events so far; a key
that two prompts held belongs to the later one), so that the server is compared with something that shares no code with it.
"""

import gzip
import json
import unicodedata
import urllib.parse
from pathlib import Path


def key_of(path):
    """The prompt key of a path: control characters percent-encoded as UTF-8, everything else kept, then NFC."""
    encoded = "".join(urllib.parse.quote(c) if unicodedata.category(c) == "Cc" else c for c in path)
    return unicodedata.normalize("NFC", encoded)


def read_lines(file):
    """The edits of a `.jsonl` or `.jsonl.gz` file, in order."""
    opener = gzip.open if str(file).endswith(".gz") else open
    with opener(file, "rt", encoding="utf-8", newline="\n") as text:
        return [json.loads(line) for line in text if line.strip()]


def oracle_of(file):
    """The oracle beside a data file."""
    file = Path(file)
    name = file.name.removesuffix(".gz").removesuffix(".jsonl")
    with gzip.open(file.with_name(name + ".oracle.json.gz"), "rt", encoding="utf-8") as text:
        return name, json.load(text)


def data_files(places):
    """The data files in folders, and files as they are given. No data is an error, never an empty run."""
    files = []
    for place in map(Path, places):
        files += sorted(place.glob("*.jsonl.gz")) if place.is_dir() else [place]
    missing = [str(f) for f in files if not f.is_file()]
    if missing or not files:
        raise FileNotFoundError(f"no data: {', '.join(missing or map(str, places))}")
    return files


class History:
    """The edits of one data set as a sequence of (prompt, effective time, key or None, content hash)."""

    def __init__(self, lines, prefix=""):
        self.lines, self.prefix = lines, prefix
        self.keys = {prefix + key_of(l[field]) for l in lines for field in ("path", "from") if l.get(field)}
        self.steps = []
        holders, effective, prompts = {}, {}, 0
        for line in lines:
            key = prefix + key_of(line["path"])
            if line["op"] == "create":
                assert key not in holders, f"created twice: {key!r}"
                prompts += 1
                holders[key] = prompts
            elif line["op"] == "rename":
                old = holders.pop(prefix + key_of(line["from"]))
                assert key not in holders, f"renamed over another: {key!r}"
                holders[key] = old
            prompt = holders[key]
            if line["op"] == "delete":
                del holders[key]
            effective[prompt] = max(effective.get(prompt, ""), line["time"])
            held = None if line["op"] == "delete" else key
            self.steps.append((prompt, effective[prompt], held, line["content_sha256"]))
        self.alive = len(holders)

    def at(self, time):
        """Key -> content hash at an occurred time (RFC 3339, UTC, whole seconds)."""
        last = {}
        for index, (prompt, effective, key, sha) in enumerate(self.steps):
            if effective <= time:
                last[prompt] = (index, key, sha)
        # In index order, so that a key that two prompts held stays with the later one.
        return {key: sha for _, key, sha in sorted(last.values()) if key is not None}

    def lines_until(self, seq):
        """How many lines belong to commits up to and with `seq`."""
        return sum(1 for line in self.lines if line["seq"] <= seq)


def rename_free_totals(lines):
    """Added, removed, changed without rename detection: in total and by author. A rename is one of each of the first two."""
    totals, authors = {"added": 0, "removed": 0, "changed": 0}, {}
    kinds = {"create": ["added"], "delete": ["removed"], "edit": ["changed"], "rename": ["removed", "added"]}
    for line in lines:
        for kind in kinds[line["op"]]:
            totals[kind] += 1
            authors[line["author_id"]] = authors.get(line["author_id"], 0) + 1
    return totals, authors

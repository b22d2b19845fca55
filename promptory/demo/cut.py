#!/usr/bin/env python3
"""Cuts the bundled demo data out of the full edit history of the awesome-chatgpt-prompts list.

`cut.py DATASET.jsonl.gz` writes `awesome-slice.jsonl.gz` and `awesome-slice.oracle.json.gz` beside itself; with `--check`
it only compares. A *family* is every path that renames connect; families go in whole, in the order of the file, so that
applying line after line stays valid. Python 3.11, standard library only.
"""

import argparse
import collections
import gzip
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LINES = "awesome-slice.jsonl.gz"
ORACLE = "awesome-slice.oracle.json.gz"

# Room in the binary and in a clone.
BUDGET_BYTES = 280_000
# Larger families are two rows that fought over one title (hundreds of edits, two texts) or very long texts.
FAMILY_BYTES_MAX = 7_000
# Asked about in README.md.
FIRST = [
    "prompts.csv#Linux Terminal",
    "prompts.csv#Guessing Game Master",
    "prompts.csv#GitHub Expert",
    "prompts.csv#Character",
    "prompts.csv#Astrologer",
]
# Not for a demo at work.
LEFT_OUT = [
    "prompts.csv#Femdom joi ",
    "prompts.csv#Flirting Boy",
    "prompts.csv#Girl of Dreams",
    "prompts.csv#Elegant and Serene Portrait Photography Prompt",
    "prompts.csv#Ultra-Realistic Young Woman Portrait Generation",
]


def families(lines):
    """Path -> the path that stands for its family."""
    parent = {}

    def root(path):
        parent.setdefault(path, path)
        while parent[path] != path:
            path = parent[path]
        return path

    for line in lines:
        root(line["path"])
        if line["op"] == "rename":
            parent[root(line["from"])] = root(line["path"])
    return {path: root(path) for path in parent}


def ranked(lines, points, family_of):
    """The families worth having, best first: most edits, renames and points of the oracle for their bytes, then by path."""
    rows, worth = collections.defaultdict(list), collections.Counter()
    for line in lines:
        family = family_of[line["path"]]
        rows[family].append(line)
        worth[family] += {"edit": 2, "rename": 4}.get(line["op"], 0)
    for point in points:
        worth[family_of[point["path"]]] += 4
    size = {family: len(packed(kept)) for family, kept in rows.items()}
    first = {family_of[path] for path in FIRST}
    banned = {family_of[path] for path in LEFT_OUT}

    def rank(family):
        return (family not in first, -worth[family] / size[family], family)

    return sorted((f for f in rows if f not in banned and size[f] <= FAMILY_BYTES_MAX), key=rank)


def packed(rows):
    """Gzip of one JSON text a row; no time or name inside, so that equal rows give equal bytes."""
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def cut(lines, points):
    """As many families as the budget holds."""
    family_of = families(lines)
    order = ranked(lines, points, family_of)

    def of(count):
        kept = set(order[:count])
        return [line for line in lines if family_of[line["path"]] in kept]

    low, high = 0, len(order)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(packed(of(middle))) <= BUDGET_BYTES else (low, middle - 1)
    return of(low)


def totals(lines, alive):
    """The rename-free counts of the slice: a rename is one path removed and one added."""
    kinds = {"create": ["added"], "delete": ["removed"], "edit": ["changed"], "rename": ["added", "removed"]}
    counted = [(kind, line["author_id"]) for line in lines for kind in kinds[line["op"]]]
    return {
        "alive": alive,
        "rename_free": dict(collections.Counter(kind for kind, _ in counted)),
        "rename_free_total": len(counted),
        "rename_free_per_author": dict(collections.Counter(author for _, author in counted)),
    }


def cut_oracle(oracle, lines):
    """What git says about the paths that are left: points and snapshots are picked, not computed."""
    paths = {line[field] for line in lines for field in ("path", "from") if line.get(field)}
    snapshots = []
    for snapshot in oracle["snapshots"]:
        held = {path: sha for path, sha in sorted(snapshot["paths"].items()) if path in paths}
        digest = hashlib.sha256("".join(f"{path}\0{sha}\n" for path, sha in held.items()).encode()).hexdigest()
        snapshots.append({**snapshot, "alive": len(held), "digest": digest, "paths": held})
    head = {field: oracle[field] for field in ("repo", "licence", "mode", "head", "linearisation")}
    points = [point for point in oracle["points"] if point["path"] in paths]
    return {**head, "totals": totals(lines, snapshots[-1]["alive"]), "points": points, "snapshots": snapshots}


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="awesome-chatgpt-prompts.jsonl.gz, its oracle beside it")
    parser.add_argument("--check", action="store_true", help="compare with what is here instead of writing")
    args = parser.parse_args()
    with gzip.open(args.dataset, "rt", encoding="utf-8", newline="\n") as text:
        lines = [json.loads(line) for line in text]
    with gzip.open(str(args.dataset).replace(".jsonl.gz", ".oracle.json.gz"), "rt", encoding="utf-8") as text:
        oracle = json.load(text)
    lines = cut(lines, oracle["points"])
    oracle = cut_oracle(oracle, lines)
    # Compared unpacked: another zlib may pack the same text into other bytes.
    for name, data in ((LINES, packed(lines)), (ORACLE, packed([oracle]))):
        file = HERE / name
        if not args.check:
            file.write_bytes(data)
        elif gzip.decompress(file.read_bytes()) != gzip.decompress(data):
            sys.exit(f"{name} is not what this script cuts out of {args.dataset}")
        print(f"{name}: {len(data)} bytes")
    prompts = sum(line["op"] == "create" for line in lines)
    print(f"{len(lines)} edits of {prompts} prompts, {len(oracle['points'])} points, {oracle['totals']['alive']} alive")


if __name__ == "__main__":
    main()

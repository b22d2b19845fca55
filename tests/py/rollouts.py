#!/usr/bin/env python3
"""Who gets which version of a split label, computed from the contract alone.

    rollouts.py                     checks the vectors that are in the repository
    rollouts.py ROLLOUT TABLE KEY…  tells the version of each key; TABLE is the JSON that `GET /v1/prompts/{prompt}` answers

bucket = SHA-256(rollout id as text, one zero byte, key as UTF-8), read as one big-endian number, modulo 10,000. The table is
a list of runs from bucket 0 on.
"""

import hashlib
import itertools
import json
import sys
from collections import Counter
from pathlib import Path

BUCKETS = 10_000
ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "events/vectors/rollouts.json"
WEIGHTS = ROOT / "command-service/domain/vectors/weights.json"


def bucket_of(rollout, key):
    """The bucket of a key."""
    return int.from_bytes(hashlib.sha256(rollout.encode() + b"\0" + key.encode()).digest(), "big") % BUCKETS


def versions_of(table):
    """The version of each bucket."""
    return [version for run in table for version in itertools.repeat(run["version"], run["buckets"])]


def check_vectors(vectors):
    """Complains of a vector that is computed otherwise here; says how many keys there were."""
    count = 0
    for vector in vectors:
        versions = versions_of(vector["table"])
        assert len(versions) == BUCKETS, f"{vector['rollout']} has {len(versions)} buckets"
        for known in vector["keys"]:
            bucket = bucket_of(vector["rollout"], known["key"])
            assert (bucket, versions[bucket]) == (known["bucket"], known["version"]), known
            count += 1
    return count


def check_weights(steps):
    """Complains of a change of weights that misses them, or that moves a bucket which need not move."""
    for step in steps:
        before, after = versions_of(step["before"]), versions_of(step["after"])
        weights = {int(version): count for version, count in step["weights"].items()}
        has, moved = Counter(before), sum(old != new for old, new in zip(before, after, strict=True))
        assert Counter(after) == weights, step["weights"]
        assert moved == sum(max(0, count - weights.get(version, 0)) for version, count in has.items()), step["weights"]


def main(arguments):
    if arguments:
        rollout, table, *keys = arguments
        versions = versions_of(json.loads(table))
        for key in keys:
            print(f"{key}: bucket {bucket_of(rollout, key)}, version {versions[bucket_of(rollout, key)]}")
        return
    count = check_vectors(json.loads(VECTORS.read_text()))
    check_weights(json.loads(WEIGHTS.read_text()))
    print(f"{count} keys as in {VECTORS.relative_to(ROOT)}; the fewest buckets move in {WEIGHTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])

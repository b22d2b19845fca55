#!/usr/bin/env python3
"""Recomputes a tenant's history digest from HTTP answers alone: the events, and each version's content.

SHA-256 over one canonical JSON line per event, without ids, recorded times and batch borders: the same over every form
of the ledger and over interrupted and undisturbed imports. Prints it in hex.
"""

import argparse
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor

from promptory_client import Client, content_bytes, cores, key_from


def line_of(event, content_sha256):
    """The canonical line of an event; `None` for events that are not part of the history."""
    kind, detail = event["type"], event["detail"]
    line = {"key": event["key"], "author": event["author"], "occurred_at": event["occurred_at"], "type": kind}
    if kind == "prompt.created":
        line["kind"] = detail["kind"]
    elif kind == "version.added":
        line |= {"number": detail["number"], "content_sha256": content_sha256}
        if detail.get("branch", "main") != "main":
            line["branch"] = detail["branch"]
    elif kind == "prompt.renamed":
        line["from"] = detail["before"]
    elif kind == "label.set":
        line |= {"label": detail["label"], "number": detail["after"]}
    elif kind == "label.removed":
        line["label"] = detail["label"]
    elif kind == "branch.created":
        line |= {"branch": detail["branch"], "number": detail["head"]}
    elif kind == "branch.closed":
        line["branch"] = detail["branch"]
    elif kind not in ("prompt.archived", "prompt.restored"):
        return None
    return canonical(line)


def canonical(value):
    """Sorted keys, no spaces, non-ASCII as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def history_digest(client):
    """The digest in hex, and how many lines it is over."""

    def hash_of(event):
        answer = client.prompt(event["prompt"], version=event["detail"]["number"])
        if answer["version"]["id"] != event["detail"]["version"]:
            raise AssertionError(f"version {event['detail']['number']} of {event['prompt']} has another id than its event")
        return hashlib.sha256(content_bytes(answer)).hexdigest()

    events = list(client.events())
    versions = [event for event in events if event["type"] == "version.added"]
    with ThreadPoolExecutor(cores()) as pool:
        hashes = {event["index"]: sha for event, sha in zip(versions, pool.map(hash_of, versions))}
    lines = [line_of(event, hashes.get(event["index"])) for event in events]
    kept = [line for line in lines if line is not None]
    return hashlib.sha256("".join(line + "\n" for line in kept).encode()).hexdigest(), len(kept)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="http://HOST:PORT of the server")
    parser.add_argument("--key", required=True, help="an API key that may read, or @FILE")
    parser.add_argument("--expect", metavar="HEX", help="end with 1 unless the digest is this")
    args = parser.parse_args()
    digest, lines = history_digest(Client(args.url, key_from(args.key)))
    print(digest)
    if args.expect is not None and args.expect != digest:
        print(f"expected {args.expect} (over {lines} lines here)", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""`bad_input.py` against a server of its own that holds some data."""

import argparse
import tempfile
from pathlib import Path

from bad_input import attack
from main_job import import_file
from promptory_client import Refused, Server, conclude


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, metavar="FILE", help="imported first")
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="promptory-bad-"))
    with Server(Path(args.binary).resolve(), work / "data", "bad").start() as server:
        reached = import_file(server, args.data)
        try:
            server.client().get("/v1/status", at_least=reached)
            failures = attack(server.client(), args.seed, args.seconds, server.operator_key)
        except (Refused, OSError, AssertionError) as failure:
            failures = [f"the server did not do what it should before or after the bad requests: {failure}"]
        failures += server.end()
    conclude(failures, work)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Somebody else's checker of SCIM (scim2-tester) over a server of its own: it makes users and groups with every attribute
that `/Schemas` names, reads, lists, replaces, patches and removes them, as RFC 7643 and RFC 7644 have it.

Runs unmodified. What it finds wrong fails; how much it looked at is told.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from promptory_client import Server, conclude


def check(url, key):
    """All that the checker has to say: a list of (status, title, reason)."""
    from httpx2 import Client  # noqa: PLC0415 - of the tool's folder, which is named on the command line
    from scim2_client.engines.httpx2 import SyncSCIMClient  # noqa: PLC0415
    from scim2_tester import check_server  # noqa: PLC0415

    with Client(base_url=f"{url}/scim/v2", headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        scim = SyncSCIMClient(client)
        scim.discover()
        return [(str(result.status.name), str(result.title), str(result.reason)) for result in check_server(scim)]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--tool", default="target/tools/scim", help="the folder that scim2-tester is installed in")
    args = parser.parse_args()
    sys.path.insert(0, str(Path(args.tool).resolve()))
    work = Path(tempfile.mkdtemp(prefix="promptory-scim-"))
    failures = []
    with Server(Path(args.binary).resolve(), work / "data", "scim").start() as server:
        results = check(server.url, server.key)
        counts = Counter(status for status, _, _ in results)
        print("scim2-tester: " + ", ".join(f"{count} {status.lower()}" for status, count in sorted(counts.items())))
        failures += [f"{title}: {reason}" for status, title, reason in results if status in ("ERROR", "CRITICAL", "DEVIATION")]
        if not counts["SUCCESS"] and not counts["COMPLIANT"]:
            failures.append("nothing was checked")
        failures += server.end()
    conclude(failures, work)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How many searches a second, beside PostgreSQL's full text search, on the same documents with the same queries in one run.

`promptory bench --only search` fills a tenant with repeated real histories and asks it over HTTP. PostgreSQL gets the prompts that
are alive then, with the index and the ranking that tests/py/search_quality.py gives it, and is asked by pgbench over a socket: the ten
best with a headline each, by as many clients, with prepared statements. Nothing fails for being slow; the figures are printed.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from dataset import data_files, read_lines
from search_quality import Postgres, copied

CLIENTS = 64
# As `promptory bench` has it.
PROMPTS = 100_000

ASKED = """\\set number random(1, {count})
SELECT key, ts_headline('english', body, q), rank FROM (
  SELECT key, body, q, ts_rank_cd(words, q, 1) AS rank
  FROM docs, (SELECT plainto_tsquery('english', words) AS q FROM queries WHERE id = :number) AS asked
  WHERE docs.words @@ q ORDER BY rank DESC, key LIMIT 10) AS best;
"""


def alive(files, wanted):
    """The prompts after repeating the histories, as the bench does, until so many are alive: (source, title, text) by key."""
    edits = [(Path(file).name.replace(".jsonl.gz", ""), line) for file in files for line in read_lines(file)]
    docs, repeat = {}, 0
    while True:
        for name, line in edits:
            key = f"{repeat}/{name}/{line['path']}"
            if line.get("from"):
                docs.pop(f"{repeat}/{name}/{line['from']}", None)
            if line["op"] == "delete":
                docs.pop(key, None)
            else:
                docs[key] = (key, "", line["content"])
            if len(docs) >= wanted:
                return docs
        repeat += 1


def peer(args, work, docs, queries):
    """Searches a second of PostgreSQL's."""
    server = Postgres(args.postgres, work / "postgres", docs)
    try:
        rows = "".join(f"{number}\t{copied(query)}\n" for number, query in enumerate(queries, 1))
        server.sql("CREATE TABLE queries (id int PRIMARY KEY, words text)")
        server.sql(f"COPY queries FROM stdin;\n{rows}\\.\n")
        server.sql("VACUUM ANALYZE docs; VACUUM ANALYZE queries")
        script = work / "asked.sql"
        script.write_text(ASKED.format(count=len(queries)))
        script.chmod(0o644)
        command = [server.binaries / "pgbench", "-h", server.folder, "-U", "quality", "-n", "-M", "prepared", "-f", script]
        command += ["-c", CLIENTS, "-j", 2, "-T", args.seconds * args.rounds, "postgres"]
        done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **server.user)
        return float(re.search(r"^tps = ([0-9.]+)", done.stdout, re.M).group(1))
    finally:
        server.stop()


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the folder with *.jsonl.gz")
    parser.add_argument("--postgres", required=True, help="the folder of PostgreSQL's programs")
    parser.add_argument("--scale", type=float, default=1.0, help="less data, for a quick look")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", default="target/release/promptory")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="promptory-search-speed-"))
    report, asked = work / "report.json", work / "queries"
    bench = [args.binary, "bench", "--only", "search", "--data", args.data, "--json", report, "--search-queries", asked]
    bench += ["--seconds", args.seconds, "--rounds", args.rounds, "--scale", args.scale]
    subprocess.run([str(part) for part in bench], check=True)
    figures = {figure["name"]: figure["median"] for figure in json.loads(report.read_text())["figures"]}
    ours = figures[f"answered, {CLIENTS} clients"]
    docs = alive(data_files([args.data]), max(int(PROMPTS * args.scale), 50))
    theirs = peer(args, work, docs, asked.read_text(encoding="utf-8").split("\n"))
    print(f"{len(docs)} prompts, {CLIENTS} clients: Promptory {ours:,.0f}/s over HTTP, PostgreSQL {theirs:,.0f}/s over a socket")
    print(f"{ours / theirs:.1f} times as many")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()

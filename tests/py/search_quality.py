#!/usr/bin/env python3
"""How often a search finds the prompt that a query was made from, beside SQLite's FTS5 and PostgreSQL's full text search.

The same documents everywhere: the prompts that are alive at the end of the histories, with key, title and text. A query holds
if its source is among the first ten. Fails if for some kind of query a peer finds more, or of misspelt words fewer than 80 %
are found. The queries are those beside the data, made from real prompts, if they are there; else they are drawn here from the
documents, with a seed. Peers get a query in their own best form: all words, and `word*` where the end of a word is missing.
"""

import argparse
import csv
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from dataset import data_files, key_of, read_lines
from main_job import TENANT, import_file
from promptory_client import Server

TOP = 10
MISSPELT_MIN = 0.8
WORD = re.compile(r"\w+")


def documents(files):
    """The prompts alive at the end, by key: (name of the source, title, text)."""
    alive = {}
    for file in files:
        for line in read_lines(file):
            if line.get("from"):
                alive.pop(key_of(line["from"]), None)
            if line["op"] == "delete":
                alive.pop(key_of(line["path"]), None)
            else:
                source = f"{line['repo']}:{line['path']}"
                alive[key_of(line["path"])] = (source, line.get("title") or "", line["content"])
    return alive


def queries_of(file, docs):
    """The queries of a file whose sources are among the documents: (query, kind, key)."""
    keys = {source: key for key, (source, _, _) in docs.items()}
    with open(file, encoding="utf-8", newline="") as text:
        rows = list(csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [(query, kind, keys[source]) for query, kind, source, *_ in rows if source in keys]


def drawn(docs, seed, count=40):
    """Queries drawn from the documents: words of a title and a text, cut off, misspelt."""
    draw, found = random.Random(seed), []
    for key in draw.sample(sorted(docs), min(count, len(docs))):
        _, title, text = docs[key]
        words = [w.lower() for w in WORD.findall(f"{title} {text[:2000]}") if w.isascii() and w.isalpha() and len(w) > 5]
        if len(words) < 3:
            continue
        named = [w.lower() for w in WORD.findall(title) if w.isascii() and w.isalpha() and len(w) > 5] or words
        word, at = draw.choice(named), draw.randrange(1, 5)
        found += [
            (" ".join(draw.sample(words, 2)), "two", key),
            (" ".join(draw.sample(words, 3)), "three", key),
            (word[:5], "prefix", key),
            (word[:at] + word[at + 1] + word[at] + word[at + 2 :], "misspelling", key),
        ]
    return found


class Promptory:
    """The server, asked over HTTP."""

    name = "promptory"

    def __init__(self, client):
        self.client = client

    def top(self, query, kind):
        """The first keys."""
        found = self.client.get("/v1/search", q=query, limit=TOP)
        return [hit["key"] for hit in found["hits"]]


class Fts5:
    """SQLite."""

    name = "sqlite-fts5"

    def __init__(self, docs):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("CREATE VIRTUAL TABLE docs USING fts5(key, title, body, tokenize='porter unicode61')")
        self.db.executemany("INSERT INTO docs VALUES (?, ?, ?)", [(k, t, x) for k, (_, t, x) in docs.items()])

    def top(self, query, kind):
        """The first keys."""
        words = ['"' + word.replace('"', "") + '"' for word in query.split()]
        if kind == "prefix":
            words[-1] += "*"
        rows = self.db.execute("SELECT key FROM docs WHERE docs MATCH ? ORDER BY rank LIMIT ?", (" ".join(words), TOP))
        return [key for (key,) in rows]


class Postgres:
    """A PostgreSQL of its own, on a socket in a folder."""

    name = "postgresql"

    def __init__(self, binaries, folder, docs):
        self.binaries, self.folder = Path(binaries), Path(folder)
        # It refuses to run as root.
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self.folder.mkdir()
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
            self.folder.parent.chmod(0o755)
        self._run("initdb", "-D", self.folder / "db", "-U", "quality", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-k {self.folder} -c listen_addresses=''"
        self._run("pg_ctl", "-D", self.folder / "db", "-l", self.folder / "log", "-o", options, "-w", "start")
        self.sql("CREATE TABLE docs (key text, title text, body text, words tsvector)")
        rows = "".join("\t".join(copied(v) for v in (k, t, x)) + "\n" for k, (_, t, x) in docs.items())
        self.sql(f"COPY docs (key, title, body) FROM stdin;\n{rows}\\.\n")
        self.sql(
            "UPDATE docs SET words = setweight(to_tsvector('english', key || ' ' || title), 'A')"
            " || to_tsvector('english', left(body, 500000)); CREATE INDEX ON docs USING gin (words)"
        )

    def _run(self, tool, *args):
        command = [str(self.binaries / tool), *map(str, args)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": self.folder}
        done = subprocess.run(command, check=False, **quiet, **self.user)
        if done.returncode != 0:
            raise RuntimeError(f"{tool} ended with {done.returncode}: {done.stderr.decode()[-500:]}")

    def sql(self, text):
        """Rows of text."""
        command = [str(self.binaries / "psql"), "-h", str(self.folder), "-U", "quality", "-d", "postgres"]
        command += ["-v", "ON_ERROR_STOP=1", "-Atq"]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True, **self.user)
        return done.stdout.decode().splitlines()

    def top(self, query, kind):
        """The first keys."""
        words = WORD.findall(query)
        asked = "plainto_tsquery('english', %s)" % quoted(query)
        if kind == "prefix":
            asked = "to_tsquery('english', %s)" % quoted(" & ".join(words) + ":*")
        return self.sql(
            f"SELECT replace(key, chr(10), ' ') FROM docs, {asked} q WHERE words @@ q"
            f" ORDER BY ts_rank_cd(words, q, 1) DESC, key LIMIT {TOP}"
        )

    def stop(self):
        """Ends it."""
        self._run("pg_ctl", "-D", self.folder / "db", "-m", "immediate", "stop")


def quoted(text):
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def copied(text):
    """A text as COPY has it; PostgreSQL keeps no NUL."""
    for sign, instead in [("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", " ")]:
        text = text.replace(sign, instead)
    return text


def compare(engines, queries):
    """How often each finds the source, by kind; and what is wrong with that."""
    kinds = sorted({kind for _, kind, _ in queries})
    share = {}
    for kind in kinds:
        these = [(query, key) for query, of, key in queries if of == kind]
        for engine in engines:
            found = [key in engine.top(query, kind) for query, key in these]
            share[engine.name, kind] = sum(found) / len(these)
            if engine.name == "promptory":
                missed = [query for (query, _), there in zip(these, found) if not there]
                print(f"  {kind}: not among the first {TOP}: {', '.join(missed) or '-'}")
    print(f"{'kind':12}" + "".join(f"{engine.name:>14}" for engine in engines) + f"{'queries':>10}")
    for kind in kinds:
        shares = "".join(f"{share[engine.name, kind]:14.1%}" for engine in engines)
        print(f"{kind:12}{shares}{sum(of == kind for _, of, _ in queries):10}")
    ours = {kind: share["promptory", kind] for kind in kinds}
    wrong = [
        f"{engine.name} finds more of kind {kind}"
        for engine in engines[1:]
        for kind in kinds
        if share[engine.name, kind] > ours[kind]
    ]
    if ours.get("misspelling", 1) < MISSPELT_MIN:
        wrong.append(f"of misspelt words only {ours['misspelling']:.0%} are found")
    return wrong


def run(args, work):
    """The comparison; gives what is wrong."""
    files = data_files(args.data)
    docs = documents(files)
    queries = queries_of(args.queries, docs) if args.queries else drawn(docs, args.seed)
    print(f"{len(docs)} prompts, {len(queries)} queries", flush=True)
    server = Server(args.binary, work / "data", tenant=TENANT).start()
    engines = []
    try:
        reached = [import_file(server, file) for file in files][-1]
        client = server.client()
        found = client.get("/v1/search", at_least=reached, limit=1)["total"]
        if found != len(docs):
            return [f"the index has {found} prompts instead of {len(docs)}"]
        engines = [Promptory(client), Fts5(docs)]
        if args.postgres:
            engines.append(Postgres(args.postgres, work / "postgres", docs))
        return compare(engines, queries)
    finally:
        server.stop()
        for engine in engines[2:]:
            engine.stop()


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="folders with *.jsonl.gz, or files")
    parser.add_argument("--queries", help="a file of queries, kinds and sources, separated by tabs")
    parser.add_argument("--seed", type=int, default=1, help="of the queries that are drawn without such a file")
    parser.add_argument("--postgres", help="the folder of PostgreSQL's programs; without it, it is left out")
    parser.add_argument("--binary", default="target/release/promptory")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="promptory-search-"))
    wrong = run(args, work)
    for failure in wrong:
        print(f"FAILED {failure}")
    if wrong:
        sys.exit(f"the server's folder and log are kept in {work}")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()

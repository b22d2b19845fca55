#!/usr/bin/env python3
"""The main job: import every data set over HTTP, compare with git, recompute the history digest, replay.

A server of its own, on a temporary folder; with --ledgers also on one real NATS server, and on a cluster of three: the
history digest must be the same on each. Holds if the oracle finds no mismatch, the digest that Python recomputes from
HTTP answers is the one that `promptory replay` folds out of the ledger, a second import changes nothing, and the model's
digest is the same in the running server and after a replay. Asks the questions of the bundled data where it is imported.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dataset import data_files, key_of
from history_digest import history_digest
from nats_servers import NatsServers
from oracle import compare
from promptory_client import Refused, Server, content_bytes, last_position, run_json

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "promptory/demo/questions.json"
TENANT = "history"


def import_file(server, file):
    """`promptory import jsonl`, with what it says passed on if it fails. Gives the last acknowledged position."""
    acks = server.data.with_name("acks.jsonl")
    acks.unlink(missing_ok=True)
    command = [server.binary, "import", "jsonl", str(file), "--url", server.url, "--key-file", str(server.key_file)]
    done = subprocess.run([*command, "--ack-log", str(acks)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"importing {file} ended with {done.returncode}: {done.stderr[-2000:]}")
    return last_position(json.loads(line) for line in acks.read_text().splitlines())


def questions(client):
    """Asks the bundled data's questions; gives what was answered otherwise."""
    wrong, asked = [], json.loads(QUESTIONS.read_text())
    for question in asked:
        told = answer_to(client, question)
        hoped = {"content_sha256": question["content_sha256"], "bytes": question["bytes"]}
        if {field: told[field] for field in hoped} != hoped:
            wrong.append(f"{question['question']} {told}")
        if same := question.get("same_prompt"):
            if answer_to(client, same)["id"] != told["id"]:
                wrong.append(f"{question['question']} another id under {same['path']}")
    print(f"{len(asked)} questions of the bundled data; {len(wrong)} answered otherwise")
    return wrong


def answer_to(client, question):
    """One question over HTTP: the prompt's id, its content's hash and length; nothing if there is no such prompt."""
    try:
        answer = client.prompt(key_of(question["path"]), as_of=question["as_of"])
    except Refused as refused:
        if refused.code != "prompt-not-found":
            raise
        return {"id": None, "content_sha256": None, "bytes": None}
    content = content_bytes(answer)
    return {"id": answer["id"], "content_sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def run(server, files):
    """The job on one ledger; gives the history digest and what went wrong."""
    reached = [import_file(server, file) for file in files][-1]
    client = server.client()
    # The read side follows: only `at_least` says that it has everything.
    status = client.get("/v1/status", at_least=reached)
    print(f"imported {len(files)} data sets: position {status['position']}, {status['prompts']} live prompts", flush=True)
    wrong = ["the oracle found mismatches"] if compare(client, files) else []
    digest, lines = history_digest(client)
    print(f"history digest over {lines} lines: {digest}", flush=True)
    if any("awesome" in file.name for file in files):
        wrong += questions(client)
    again = client.get("/v1/status", at_least=[import_file(server, file) for file in files][-1])
    if again != status:
        wrong.append(f"a second import changed something: {status}, now {again}")
    print("a second import changed nothing" if again == status else wrong[-1], flush=True)
    server.stop()
    report = run_json([server.binary, "replay", "--data", str(server.data), "--tenant", TENANT, *server.extra])
    for field, here in (("history_digest", digest), ("model_digest", status["model_digest"])):
        print(f"replay: {field} {report[field]}: {'the same' if report[field] == here else 'DIFFERS from ' + here}")
        if report[field] != here:
            wrong.append(f"{field} differs from the replay's")
    return digest, wrong


def run_on(ledger, binary, work, files):
    """The job on one kind of ledger: `embedded`, or the number of NATS servers."""
    print(f"== {ledger}" if ledger == "embedded" else f"== JetStream, replicas: {ledger}", flush=True)
    work.mkdir()
    if ledger == "embedded":
        with Server(binary, work / "data", TENANT).start() as server:
            return run(server, files)
    with NatsServers(work / "nats", int(ledger)) as nats:
        nats.init(binary)
        with Server(binary, work / "data", TENANT, nats.arguments).start() as server:
            return run(server, files)


def run_all(args, work):
    """The job on every ledger; gives what went wrong."""
    digests, wrong = set(), []
    for number, ledger in enumerate(args.ledgers):
        digest, failures = run_on(ledger, Path(args.binary).resolve(), work / str(number), data_files(args.data))
        digests.add(digest)
        wrong += failures
    if len(digests) > 1:
        wrong.append(f"the history digests differ: {sorted(digests)}")
    return wrong


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="folders with *.jsonl.gz and *.oracle.json.gz, or files")
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--ledgers", nargs="+", choices=["embedded", "1", "3"], default=["embedded"])
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="promptory-main-"))
    try:
        wrong = run_all(args, work)
    except (RuntimeError, AssertionError, Refused, OSError) as failure:
        wrong = [str(failure)]
    for failure in wrong:
        print(f"FAILED {failure}")
    if wrong:
        sys.exit(f"the server's folder and log are kept in {work}")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Schemathesis over the OpenAPI document of a server of its own: no answer is a 5xx, none has a status, a content type or a
body that the document does not have.

Three passes: an owner with made-up names, an owner with names that are there, an operator. Streams are left out: they do not end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from promptory_client import Client, Server, conclude, quote

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# A hang must end in a failure; nothing is measured with these.
REQUEST_SECONDS, PASS_SECONDS = 30, 3600


def found(client):
    """A little of everything, so that there is something to answer: the names that paths are filled with."""
    def post(path, body):
        return client.call("POST", path, body)

    prompt = "team/greet"
    segment = f"/v1/prompts/{quote(prompt)}"
    post("/v1/prompts", {"key": prompt, "text": "Hello, {{name}}.", "labels": ["production"]})
    post(f"{segment}/versions", {"text": "Good day, {{name}}.", "config": {"model": "large"}})
    post(f"{segment}/forks", {"key": "team/fork"})
    client.call("PUT", f"{segment}/branches/try", {})
    post("/v1/prompts", {"key": "team/page", "text": '{% include "team/greet@production" %}', "template": "jinja"})
    post(f"{segment}/comments", {"version": 1, "text": "why?"})
    group = post("/v1/groups", {"name": "Poets"})["group"]
    client.call("PUT", "/v1/roles/poet", {"actions": ["read", "write-prompts"]})
    issuer = post("/v1/issuers", {"url": "https://id.example.com", "audience": "promptory", "groups_claim": "groups"})["issuer"]
    client.call("PUT", "/v1/protections/stable?prefix=team/", {"approvals": 1})
    window = {"prefix": "other/", "from": "2098-01-01T00:00:00Z", "until": "2098-01-02T00:00:00Z"}
    freeze = post("/v1/freezes", window)["freeze"]
    release = post("/v1/releases", {"prompt": prompt, "label": "stable", "version": 1})["release"]
    issued = post("/v1/keys", {"role": "editor", "prefix": "team/"})
    client.get("/v1/status", at_least=issued["position"])
    return {
        "prompt": prompt, "label": "production", "branch": "try", "role": "poet", "group": group, "issuer": issuer,
        "freeze": freeze, "release": release, "principal": issued["principal"], "key": issued["key_id"], "value": "poets",
        "quota": "prompts", "version": 1,
    }


def attack(tool, work, name, client, args, names):
    """One pass. `names` are what the parameters of paths are, where they are known."""
    config = work / f"{name}.toml"
    lines = [f'"path.{parameter}" = {json.dumps(value)}\n' for parameter, value in names.items()]
    config.write_text("[parameters]\n" + "".join(lines))
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{client.url}/openapi.json",
        "--header", f"Authorization: Bearer {client.key}", "--seed", str(args.seed), "--max-examples", str(args.examples),
        "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--exclude-path", "/v1/events",
        "--request-timeout", str(REQUEST_SECONDS), "--continue-on-failure", "--no-color", "--generation-database", "none",
    ]
    # It writes its notes where it is started.
    environment = {**os.environ, "PYTHONPATH": tool}
    ran = subprocess.run(
        command, cwd=work, env=environment, text=True, capture_output=True, timeout=PASS_SECONDS, check=False
    )
    output = ran.stdout.replace(client.key, "pk_…")
    summary = [line.strip() for line in output.splitlines() if " generated, " in line or line.startswith("=")]
    print(f"{name}: {' '.join(line for line in summary if 'generated' in line) or summary[-1:]}")
    if ran.returncode != 0 or not any("generated" in line for line in summary):
        print(output[-20_000:], ran.stderr[-2_000:])
        return [f"{name}: the server's answers are not those of its document"]
    return []


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--tool", default="target/tools/schemathesis", help="the folder that schemathesis is installed in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=10, help="made-up requests for each operation and pass")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="promptory-openapi-"))
    tool = str(Path(args.tool).resolve())
    failures = []
    with Server(Path(args.binary).resolve(), work / "data", "openapi").start() as server:
        owner, operator = server.client(), Client(server.client().url, server.operator_key)
        names = found(owner)
        for name, client, known in [("made-up", owner, {}), ("known", owner, names), ("operator", operator, {"tenant": "openapi"})]:
            failures += attack(tool, work, name, client, args, known)
            if not server.alive():
                failures.append(f"{name}: the server is gone:\n{server.log_tail()}")
                break
        failures += server.end()
    conclude(failures, work)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Throws bad requests at a live server over raw sockets, and checks that it stays what it was.

Every refusal must be a problem document of a kind that the table in `platform/src/problem.rs` lists; nothing may be
answered with 5xx; afterwards there must be no event but those that say what was denied, so few that nobody floods the
ledger. First every case of `bad_cases.py`, then random ones from --seed for --seconds.
"""

import argparse
import collections
import http.client
import json
import random
import re
import socket
import string
import sys
import time
import urllib.parse
from pathlib import Path

from bad_cases import JSON, Case, all_cases, request
from promptory_client import Client, Refused, index_of, key_from, quote

ROOT = Path(__file__).resolve().parents[2]
TYPE_BASE = "https://promptory.dev/problems/"
# What the system itself says about refusals, and how many events of a minute at most (`ATTEMPTS_PER_MINUTE_MAX`, and counts).
ATTESTED = {"attempt.denied", "attempts.counted"}
DENIED_A_MINUTE = 32 + 4
# A server that does not answer has failed; nothing is measured with this.
ANSWER_SECONDS = 60


def problem_table():
    """Code -> status, from the one place that lists them."""
    source = (ROOT / "platform/src/problem.rs").read_text()
    table = {code: int(status) for status, code in re.findall(r'= (\d{3}), "([a-z-]+)", "', source)}
    if len(table) < 10:
        raise RuntimeError("platform/src/problem.rs no longer has the table in the form that this script reads")
    return table


class World:
    """What the cases refer to: prompts (under a prefix of their own), API keys and a suspended tenant, made for them."""

    def __init__(self, client, seed, operator=None):
        self.owner = client.key
        place = f"bad-input/{seed}-{time.time_ns()}"
        self.prompt, self.other_prompt = f"{place}/one", f"{place}/other"
        self.prompt_segment = quote(self.prompt)
        self.idempotency_key = place
        headers = {"Idempotency-Key": place}
        made = client.call("POST", "/v1/prompts", {"key": self.prompt, "text": "first", "labels": ["production"]}, headers)
        self.prompt_id = made["prompt"]
        client.call("POST", "/v1/prompts", {"key": self.other_prompt, "text": "other"})
        self.archived_id = client.call("POST", "/v1/prompts", {"key": f"{place}/gone", "text": "gone"})["prompt"]
        client.call("POST", f"/v1/prompts/{self.archived_id}/archive", {})
        self.viewer = client.call("POST", "/v1/keys", {"role": "viewer"})["key"]
        self.admin = client.call("POST", "/v1/keys", {"role": "admin"})["key"]
        self.revoked = client.call("POST", "/v1/keys", {"role": "owner"})["key"]
        last = client.call("DELETE", f"/v1/keys/{self.revoked.rsplit('_', 2)[1]}")
        client.get("/v1/status", at_least=last["position"])
        self.cursor = client.get("/v1/prompts", limit=1)["next_cursor"]
        incarnation, index = last["position"].rsplit("-", 1)
        flipped = "0" if incarnation[0] != "0" else "1"
        self.other_ledger = f"{flipped}{incarnation[1:]}-{index}"
        self.operator = operator
        if operator:
            self.suspended_tenant = f"bad-{time.time_ns()}"
            system = Client(client.url, operator)
            self.suspended = system.call("POST", "/v1/tenants", {"tenant": self.suspended_tenant})["key"]
            done = system.call("POST", f"/v1/tenants/{self.suspended_tenant}/suspend", {})
            # Suspension binds reads once the read side has seen it.
            system.get("/v1/status", at_least=done["position"])


class Attacker:
    """Sends cases and keeps what was wrong about the answers."""

    def __init__(self, client, table):
        self.address = (client.host, client.port)
        self.table = table
        self.failures, self.codes, self.sent = [], collections.Counter(), 0

    def run(self, case):
        """One case."""
        self.sent += 1
        answer = self._exchange(case)
        problem = self._judge(case, answer)
        if problem:
            self.failures.append(f"{case.name}: {problem}")

    def _exchange(self, case):
        """Status, content type and body; `None` if the connection closed without an answer."""
        with socket.create_connection(self.address, timeout=ANSWER_SECONDS) as connection:
            try:
                connection.sendall(case.raw)
                if case.half_close:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It has heard enough; the answer may be there all the same.
            try:
                response = http.client.HTTPResponse(connection, method=case.method)
                response.begin()
                return response.status, response.headers.get("Content-Type", ""), response.read()
            except TimeoutError:
                return "no answer", "", b""
            except (OSError, http.client.HTTPException):
                return None

    def _judge(self, case, answer):
        if answer is None:
            return None if case.expect in ("below", "streamed") else "the connection closed without an answer"
        status, kind, body = answer
        if status == "no answer" or status >= 500 and not (case.expect == "below" and status in (501, 505)):
            return f"answered {status} {body[:200]!r}"
        if case.expect == "refused within":
            return self._judge_results(case, status, body)
        if case.expect in ("refused", "streamed") and status < 400:
            return f"was answered {status} {body[:200]!r}"
        if status < 400 or case.expect == "below" and not body:
            return None
        if case.method == "HEAD":
            return None if kind == "application/problem+json" else f"{status} as {kind!r}"
        if kind == "application/scim+json":
            document = json.loads(body)
            whole = document.get("status") == str(status) and document.get("detail")
            return None if whole else f"{status} with a refusal of SCIM that is not whole: {document}"
        return self._judge_problem(status, kind, body, case.codes)

    def _judge_problem(self, status, kind, body, codes):
        if kind != "application/problem+json":
            return f"{status} as {kind!r}: {body[:200]!r}"
        try:
            document = json.loads(body)
        except ValueError:
            return f"{status} with a body that is no JSON: {body[:200]!r}"
        return self._judge_document(document, status, codes)

    def _judge_document(self, document, status, codes):
        code = str(document.get("type", "")).removeprefix(TYPE_BASE)
        self.codes[code] += 1
        if document.get("type") != TYPE_BASE + code or self.table.get(code) != status:
            return f"{status} with a type that the table does not have for it: {document}"
        missing = [field for field in ("title", "status", "detail", "code") if not document.get(field)]
        if missing or document["status"] != status or document["code"] != code:
            return f"a problem document without {missing} or against itself: {document}"
        return f"refused as {code}, expected {' or '.join(codes)}: {document['detail']}" if codes and code not in codes else None

    def _judge_results(self, case, status, body):
        """A batch may be refused whole, or answered with a refusal for each command."""
        if status != 200:
            return self._judge_problem(status, "application/problem+json", body, case.codes) if status >= 400 else f"answered {status}"
        results = json.loads(body)["results"]
        for result in results:
            if result["status"] < 400:
                return f"a command was taken: {result}"
            if said := self._judge_document(result["problem"], result["status"], ()):
                return said
        return None if results else "no results"


class Fuzzer:
    """Random cases. Writes carry a viewer's key, so that none of them may be taken, whatever it says."""

    WORDS = ["", "0", "1", "-1", "x", "é", "\u202e", "\0", "%", "' OR 1=1 --", "../..", "a" * 2000, "9" * 40, "2024-02-30T00:00:00Z", "null", "下棋", "\ud800"]
    READS = ["/v1/prompts", "/v1/events", "/v1/status", "/v1/prompts/{}", "/v1/prompts/{}/versions", "/v1/prompts/{}/labels/{}/history", "/{}", "/v1/{}"]
    PARAMETERS = ["as_of", "clock", "label", "version", "limit", "cursor", "from", "at_least", "prefix", "x"]
    WRITES = ["/v1/prompts", "/v1/prompts/{}/versions", "/v1/keys", "/v1/tenants", "/v1/prompts/{}/archive", "/v1/prompts/{}/restore"]

    def __init__(self, world, rng):
        self.world, self.rng, self.count = world, rng, 0

    def next(self):
        """The next case."""
        self.count += 1
        return self.rng.choice([self._read, self._write, self._mutant])()

    def _word(self):
        kinds = [lambda: self.rng.choice(self.WORDS), lambda: "".join(self.rng.choices(string.printable, k=self.rng.randrange(40)))]
        return self.rng.choice([*kinds, lambda: self.world.prompt])()

    def _fill(self, template):
        parts = template.split("{}")
        words = [urllib.parse.quote(self._word().encode("utf-8", "surrogatepass"), safe="") for _ in parts[1:]]
        return parts[0] + "".join(word + part for word, part in zip(words, parts[1:]))

    def _read(self):
        names = self.rng.sample(self.PARAMETERS, self.rng.randrange(4))
        query = "&".join(f"{name}={urllib.parse.quote(self._word().encode('utf-8', 'surrogatepass'))}" for name in names)
        target = self._fill(self.rng.choice(self.READS)) + ("?" + query if query else "")
        return Case(f"random read {self.count}: {target[:300]}", request("GET", target, self.world.viewer), "answered")

    def _value(self, depth=0):
        leaves = [self._word, lambda: self.rng.randint(-(2**70), 2**70), lambda: None, lambda: True, lambda: 1.5]
        branches = [lambda: [self._value(depth + 1) for _ in range(3)], lambda: {self._word(): self._value(depth + 1) for _ in range(2)}]
        return self.rng.choice(leaves + (branches if depth < 3 else []))()

    def _write(self):
        names = ["key", "text", "messages", "config", "labels", "tags", "metadata", "message", "role", "tenant", "author", "occurred_at"]
        body = {name: self._value() for name in self.rng.sample(names, self.rng.randint(1, 4))}
        target = self._fill(self.rng.choice(self.WRITES))
        raw = request("POST", target, self.world.viewer, [JSON], json.dumps(body).encode())
        return Case(f"random write {self.count}: {target[:200]} {str(body)[:200]}", raw, "refused", method="POST")

    def _mutant(self):
        raw = bytearray(request("GET", f"/v1/prompts/{self.world.prompt_segment}?version=1", self.world.viewer, [("Accept", "*/*")]))
        for _ in range(self.rng.randint(1, 4)):
            at = self.rng.randrange(len(raw))
            raw[at : at + self.rng.randrange(3)] = self.rng.randbytes(self.rng.randrange(3))
        return Case(f"random bytes {self.count}: {bytes(raw)!r}", bytes(raw), "below", half_close=True)


def state_of(client):
    """What refused requests must leave alone, and how many events there are."""
    names = [event["type"] for event in client.events()]
    return {"prompts": client.get("/v1/status")["prompts"], "events": len(names), "denied": sum(name in ATTESTED for name in names)}


def half_open(client, key, count=20):
    """Requests that never get to their end: they may hold a connection, not the server."""
    connections = []
    for _ in range(count):
        connection = socket.create_connection((client.host, client.port), timeout=ANSWER_SECONDS)
        connection.sendall(request("POST", "/v1/prompts", key, [JSON, ("Content-Length", 1000)]) + b'{"key":')
        connections.append(connection)
    return connections


def attack(client, seed, seconds, operator=None):
    """Everything; prints a summary; gives the failures. An operator's key adds the cases about tenants."""
    world = World(client, seed, operator)
    before, began = state_of(client), time.monotonic()
    attacker = Attacker(client, problem_table())
    stuck = half_open(client, world.owner)
    for case in all_cases(world):
        attacker.run(case)
    listed = attacker.sent
    fuzzer, end = Fuzzer(world, random.Random(seed)), time.monotonic() + seconds
    while time.monotonic() < end:
        attacker.run(fuzzer.next())
    for connection in stuck:
        connection.close()
    failures = attacker.failures + after(client, world, before, (time.monotonic() - began) / 60)
    never = sorted(set(attacker.table) - set(attacker.codes))
    print(f"{listed} listed and {attacker.sent - listed} random bad requests (seed {seed}), {len(attacker.codes)} kinds of problem; {len(failures)} failures")
    print(f"  kinds: {', '.join(f'{code} {count}' for code, count in sorted(attacker.codes.items()))}")
    print(f"  kinds that no case here reaches: {', '.join(never)}")
    return failures


def after(client, world, before, minutes):
    """Whether the server is alive, unchanged, and still takes what is good."""
    client.close()
    failures = [f"{path} answered {status}" for path in ("/healthz", "/readyz") if (status := client.send("GET", path).status) != 200]
    now = state_of(client)
    if any(now[what] - now["denied"] * (what == "events") != before[what] - before["denied"] * (what == "events") for what in ("prompts", "events")):
        failures.append(f"refused requests changed something: before {before}, after {now}")
    if now["denied"] - before["denied"] > DENIED_A_MINUTE * (minutes + 2):
        failures.append(f"denied attempts flood the ledger: before {before}, after {now}")
    taken = client.call("POST", f"/v1/prompts/{world.prompt_segment}/versions", {"text": "still here"})
    answer = client.prompt(world.prompt, at_least=taken["position"])
    # The write side's own word: between what was there and this there is nothing but what was denied.
    between = [event["type"] for event in client.events(before["events"]) if event["index"] < index_of(taken["position"])]
    if not set(between) <= ATTESTED:
        failures.append(f"a good write got {taken['position']} after {before['events']} events: something bad was taken")
    return failures + ([] if answer["text"] == "still here" else ["a good write is not there afterwards"])


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="http://HOST:PORT of the server")
    parser.add_argument("--key", required=True, help="an owner's API key, or @FILE")
    parser.add_argument("--operator-key", help="an operator's API key, or @FILE: adds the cases about tenants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10, help="how long random requests go on after the listed ones")
    args = parser.parse_args()
    try:
        operator = key_from(args.operator_key) if args.operator_key else None
        failures = attack(Client(args.url, key_from(args.key)), args.seed, args.seconds, operator)
    except (Refused, OSError, http.client.HTTPException) as failure:
        failures = [f"the server did not do what it should before or after the bad requests: {failure}"]
    for failure in failures[:50]:
        print(f"FAILED {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

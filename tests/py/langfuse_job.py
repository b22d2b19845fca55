#!/usr/bin/env python3
"""Langfuse's SDKs, unmodified, against a server of its own: PyPI's `langfuse` here, npm's `@langfuse/client` by
`tests/langfuse/client.mjs`. They get by label and by version, texts, chats and prompts inside others, compile, cache, fall
back, create, move labels and list. What an SDK sends as traces is not looked at here.
"""

import argparse
import logging
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from promptory_client import Client, Refused, Server, conclude, quote

# A hang must end in a failure; nothing is measured with this.
NODE_SECONDS = 120
ROUTE = "/api/public/v2/prompts/{prompt}"


def answered(client):
    """Requests for a prompt that the server has answered, by what it says itself."""
    lines = client.send("GET", "/metrics").body.decode().splitlines()
    ours = (line for line in lines if line.startswith("promptory_http_request_seconds_count{"))
    ours = (line for line in ours if 'method="GET"' in line and f'route="{ROUTE}"' in line)
    return sum(float(line.rsplit(" ", 1)[1]) for line in ours)


def nowhere():
    """An address of this machine where nobody is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


class Checks:
    """Counts what was looked at, and keeps what is not as it should be."""

    def __init__(self):
        self.count, self.failures = 0, []

    def equal(self, what, is_, should):
        """Two things that must be equal."""
        self.count += 1
        if is_ != should:
            self.failures.append(f"{what}: is {is_!r}, should be {should!r}")

    def raises(self, what, status, call):
        """A call that must be refused with a status."""
        self.count += 1
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the SDK's errors have no common class that is public
            if getattr(error, "status_code", None) != status:
                self.failures.append(f"{what}: {error!r}, should be a {status}")
        else:
            self.failures.append(f"{what}: was not refused")


def texts(checks, sdk, server):
    """A text with two versions, in a folder, by label and by number; compiled, cached, relabelled."""
    name = "py/folder one/greet?#"
    first = sdk.create_prompt(
        name=name, prompt="Hello, {{name}}.", labels=["production"], tags=["py"], config={"model": "large"}, commit_message="first"
    )
    checks.equal("created", (first.name, first.version, first.prompt, first.commit_message), (name, 1, "Hello, {{name}}.", "first"))
    second = sdk.create_prompt(name=name, prompt="Good day, {{name}}.", labels=["staging"])
    checks.equal("second", (second.version, second.labels, second.tags), (2, ["staging", "latest"], ["py"]))
    text = sdk.get_prompt(name)
    checks.equal("got", (text.version, text.config, text.tags, text.is_fallback), (1, {"model": "large"}, ["py"], False))
    checks.equal("compiled", text.compile(name="Ada"), "Hello, Ada.")
    checks.equal("variables", text.variables, ["name"])
    checks.equal("by label", sdk.get_prompt(name, label="staging").compile(name="Ada"), "Good day, Ada.")
    checks.equal("latest", sdk.get_prompt(name, label="latest").version, 2)
    checks.equal("by number", sdk.get_prompt(name, version=2).prompt, "Good day, {{name}}.")
    before = answered(server)
    for _ in range(5):
        sdk.get_prompt(name)
    checks.equal("cached: no request", answered(server), before)
    sdk.get_prompt(name, cache_ttl_seconds=0)
    checks.equal("not cached: one request", answered(server), before + 1)
    moved = sdk.update_prompt(name=name, version=2, new_labels=["production", "eu"])
    checks.equal("moved", (moved.version, sorted(moved.labels)), (2, ["eu", "latest", "production", "staging"]))
    checks.equal("after it", sdk.get_prompt(name).version, 2)
    checks.raises("latest is not moved", 400, lambda: sdk.update_prompt(name=name, version=1, new_labels=["latest"]))
    ours = server.prompt(name, version=1)
    checks.equal("ours", (ours["text"], ours["version"]["message"], ours["labels"]), (
        "Hello, {{name}}.", "first", {"eu": 2, "production": 2, "staging": 2}))
    return name


def chats(checks, sdk):
    """A chat with a placeholder."""
    messages = [
        {"role": "system", "content": "Be {{tone}}."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{q}}"},
    ]
    sdk.create_prompt(name="py/chat", type="chat", prompt=messages, labels=["production"])
    chat = sdk.get_prompt("py/chat", type="chat")
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    said = chat.compile(tone="kind", q="why?", history=history)
    checks.equal("chat", [(m["role"], m["content"]) for m in said], [
        ("system", "Be kind."), ("user", "hi"), ("assistant", "hello"), ("user", "why?")])
    checks.raises("of another type", 409, lambda: sdk.create_prompt(name="py/chat", prompt="text"))


def compositions(checks, sdk):
    """A prompt in another one, by a tag of Langfuse's."""
    sdk.create_prompt(name="py/part", prompt="Be {{tone}}.", labels=["production"])
    text = "@@@langfusePrompt:name=py/part|label=production@@@ Ask {{name}}."
    made = sdk.create_prompt(name="py/whole", prompt=text, labels=["production"])
    checks.equal("composed", made.prompt, text)
    checks.equal("resolved", sdk.get_prompt("py/whole").compile(tone="kind", name="Ada"), "Be kind. Ask Ada.")
    raw = sdk.api.prompts.get(quote("py/whole"), resolve=False)
    checks.equal("not resolved", (raw.prompt, raw.resolution_graph), (text, None))
    graph = sdk.api.prompts.get(quote("py/whole")).resolution_graph
    checks.equal("graph", [node["name"] for nodes in graph["dependencies"].values() for node in nodes], ["py/part"])


def refusals(checks, clients, name):
    """What is not there, falling back, and what is not allowed."""
    sdk, away, stranger = clients
    checks.raises("not there", 404, lambda: sdk.get_prompt("py/nobody", max_retries=0))
    checks.raises("no such label", 404, lambda: sdk.get_prompt(name, label="nobody", max_retries=0))
    checks.raises("no such version", 404, lambda: sdk.get_prompt(name, version=9, max_retries=0))
    fallback = sdk.get_prompt("py/nobody", fallback="Hi, {{name}}.", max_retries=0)
    checks.equal("fallback", (fallback.is_fallback, fallback.compile(name="Ada")), (True, "Hi, Ada."))
    alone = away.get_prompt(name, type="chat", fallback=[{"role": "user", "content": "{{q}}"}], max_retries=0)
    checks.equal("alone", (alone.is_fallback, alone.compile(q="?")[0]["content"]), (True, "?"))
    checks.raises("a stranger", 401, lambda: stranger.get_prompt(name, max_retries=0))
    checks.raises("deleting", 405, lambda: sdk.api.prompts.delete(quote(name)))


def lists(checks, sdk, name):
    """Lists through the SDK's client of the whole API."""
    page = sdk.api.prompts.list(tag="py", limit=10)
    checks.equal("meta", (page.meta.page, page.meta.limit, page.meta.total_items, page.meta.total_pages), (1, 10, 1, 1))
    item = page.data[0]
    checks.equal("item", (item.name, item.versions, str(item.type.value), item.tags), (name, [1, 2], "text", ["py"]))
    checks.equal("last config", item.last_config, {})
    by_label = sdk.api.prompts.list(label="eu").data
    checks.equal("by label", [(item.name, item.versions) for item in by_label], [(name, [2])])
    later = sdk.api.prompts.list(from_updated_at=item.last_updated_at, name=name)
    checks.equal("by time", [len(later.data), len(sdk.api.prompts.list(to_updated_at=item.last_updated_at, name=name).data)], [1, 0])


def protection(checks, sdk, server):
    """A protected label holds for the SDK as for everybody."""
    sdk.create_prompt(name="py/safe", prompt="one", labels=["stable"])
    sdk.create_prompt(name="py/safe", prompt="two")
    server.call("PUT", "/v1/protections/stable?prefix=py/", {"approvals": 1})
    checks.raises("a protected label", 409, lambda: sdk.update_prompt(name="py/safe", version=2, new_labels=["stable"]))
    checks.raises("with a version", 409, lambda: sdk.create_prompt(name="py/safe", prompt="three", labels=["stable"]))
    checks.equal("where it was", (server.prompt("py/safe")["versions"], sdk.get_prompt("py/safe", label="stable").version), (2, 1))
    try:
        server.prompt("py/safe", version=3)
    except Refused as refused:
        checks.equal("no third version", refused.code, "version-not-found")
    else:
        checks.failures.append("a refused request added a version")


def python_sdk(server, public_key, secret_key):
    """All of it with PyPI's `langfuse`."""
    from langfuse import Langfuse  # noqa: PLC0415 - of the tool's folder, which is named on the command line

    def client(url, public, secret):
        return Langfuse(public_key=public, secret_key=secret, base_url=url, tracing_enabled=False)

    # It has much to say about what it is refused here on purpose.
    logging.getLogger("langfuse").setLevel(logging.CRITICAL)
    checks, sdk = Checks(), client(server.url, public_key, secret_key)
    # The SDK has one client for each public key, so these have others.
    away, stranger = client(nowhere(), "pk_away", "x"), client(server.url, f"{public_key[:-1]}x", secret_key)
    name = texts(checks, sdk, server)
    chats(checks, sdk)
    compositions(checks, sdk)
    lists(checks, sdk, name)
    protection(checks, sdk, server)
    refusals(checks, (sdk, away, stranger), name)
    print(f"langfuse (PyPI): {checks.count} checks")
    return [f"langfuse (PyPI): {failure}" for failure in checks.failures]


def javascript_sdk(tool, url, public_key, secret_key):
    """All of it with npm's `@langfuse/client`."""
    script = Path(__file__).parent.parent / "langfuse" / "client.mjs"
    environment = {**os.environ, "LANGFUSE_PUBLIC_KEY": public_key, "LANGFUSE_SECRET_KEY": secret_key}
    command = ["node", str(script), str(tool), url, nowhere()]
    ran = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=NODE_SECONDS, check=False)
    print(ran.stdout.strip())
    return [] if ran.returncode == 0 else [f"@langfuse/client (npm): {ran.stderr[-3000:]}"]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--tool", default="target/tools/langfuse", help="the folder with the SDKs: `py` and `js`")
    args = parser.parse_args()
    tool = Path(args.tool).resolve()
    sys.path.insert(0, str(tool / "py"))
    # Nothing of the machine's own settings.
    for variable in [variable for variable in os.environ if variable.startswith("LANGFUSE_")]:
        del os.environ[variable]
    work = Path(tempfile.mkdtemp(prefix="promptory-langfuse-"))
    failures = []
    with Server(Path(args.binary).resolve(), work / "data", "langfuse").start() as server:
        # Programs have a key of their own, with no more rights than they need.
        issued = server.client().call("POST", "/v1/keys", {"role": "editor"})
        public_key, secret_key = issued["key"].rsplit("_", 1)
        failures += python_sdk(Client(server.url, server.key), public_key, secret_key)
        failures += javascript_sdk(tool / "js", server.url, public_key, secret_key)
        failures += server.end()
    conclude(failures, work)


if __name__ == "__main__":
    main()

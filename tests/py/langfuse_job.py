#!/usr/bin/env python3
"""Langfuse's SDKs, unmodified, against a server of its own: PyPI's `langfuse` here, npm's `@langfuse/client` by
`tests/langfuse/client.mjs`. They get by label and by version, texts, chats and prompts inside others, compile, cache, fall
back, create, move labels and list. Then they trace runs of prompts and judge them (`traces.mjs` with `@langfuse/tracing` and
`@langfuse/otel`), as does OpenTelemetry's own exporter, and what is counted is what was run.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from checks import Checks, answered, nowhere
from promptory_client import Client, Refused, Server, conclude, quote

# A hang must end in a failure; nothing is measured with this.
NODE_SECONDS = 120
ROUTE = "/api/public/v2/prompts/{prompt}"


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
    before = answered(server, ROUTE)
    for _ in range(5):
        sdk.get_prompt(name)
    checks.equal("cached: no request", answered(server, ROUTE), before)
    sdk.get_prompt(name, cache_ttl_seconds=0)
    checks.equal("not cached: one request", answered(server, ROUTE), before + 1)
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
    checks, sdk = Checks("status_code"), client(server.url, public_key, secret_key)
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


def counted(server, prompt, *by):
    """What is counted of a prompt, told apart by some dimensions; the most counted first."""
    return server.get("/v1/analytics", prompt=prompt, group_by=",".join(by))["groups"]


def traced_by_langfuse(server, public_key, secret_key):
    """Runs that PyPI's `langfuse` traces, and scores of them."""
    from langfuse import Langfuse, observe  # noqa: PLC0415 - as above

    checks, name = Checks("status_code"), "py/traced"
    sdk = Langfuse(public_key=public_key, secret_key=secret_key, base_url=server.url)
    for text in ("Hello, {{name}}.", "Good day, {{name}}."):
        sdk.create_prompt(name=name, prompt=text, labels=["production"])
    prompts = {version: sdk.get_prompt(name, version=version) for version in (1, 2)}

    @observe(as_type="generation")
    def answer(version, **more):
        usage, cost = {"input": 12, "output": 3, "total": 15}, {"input": 0.001, "output": 0.002}
        sdk.update_current_generation(
            model="large", prompt=prompts[version], usage_details=usage, cost_details=cost, **more
        )
        return sdk.get_current_trace_id(), sdk.get_current_observation_id()

    @observe()
    def request(version, **more):
        return answer(version, **more)

    with sdk.start_as_current_observation(name="no prompt", as_type="generation"):
        pass
    # The key says which of the clients here traces it.
    ours = {"langfuse_public_key": public_key}
    traces = [request(2, **ours), request(2, **ours), request(1, level="ERROR", status_message="no", **ours)]
    sdk.flush()
    # Of an observation, of a trace, one twice, and one that can't be counted.
    trace, observation = traces[0]
    for _ in range(2):
        sdk.create_score(score_id="once", name="helpful", value=0.5, trace_id=trace, observation_id=observation)
    sdk.create_score(name="liked", value=1, data_type="BOOLEAN", trace_id=traces[1][0])
    sdk.create_score(name="tone", value="warm", data_type="CATEGORICAL", trace_id=traces[2][0], observation_id=traces[2][1])
    sdk.create_score(name="comment", value="well done", data_type="TEXT", trace_id=trace)
    sdk.flush()

    groups = counted(server, name, "version", "model", "caller")
    checks.equal("groups", [(g["version"], g["model"], g["caller"], g["count"], g["errors"]) for g in groups], [
        (2, "large", None, 2, 0), (1, "large", None, 1, 1)])
    if checks.failures:
        return [f"langfuse (PyPI), traces: {failure}" for failure in checks.failures]
    checks.equal("amounts", [(g["input_tokens"], g["output_tokens"], g["cost_nanos"]) for g in groups], [
        (24, 6, 6_000_000), (12, 3, 3_000_000)])
    checks.equal("latencies", [g["latency_ms"]["count"] for g in groups], [2, 1])
    scores = groups[0]["scores"]
    checks.equal("scores", sorted(scores), ["helpful", "liked"])
    checks.equal("helpful", (scores["helpful"]["numbers"]["count"], scores["helpful"]["numbers"]["mean"]), (1, 0.5))
    checks.equal("liked", scores["liked"], {"true": 1, "false": 0})
    checks.equal("the other version's", groups[1]["scores"], {"tone": {"categories": {"warm": 1}}})
    sdk.shutdown()
    print(f"langfuse (PyPI), traces: {checks.count} checks")
    return [f"langfuse (PyPI), traces: {failure}" for failure in checks.failures]


def traced_by_opentelemetry(server, key):
    """A run that OpenTelemetry's own exporter sends, set up by its environment; the same span again counts once."""
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415 - as above
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    checks, name = Checks("status_code"), "otel/traced"
    server.call("POST", "/v1/prompts", {"key": name, "text": "Hello."})
    ended = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(ended))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("GET /"):
        with tracer.start_as_current_span("chat large") as span:
            span.set_attributes({
                "gen_ai.operation.name": "chat", "gen_ai.request.model": "large", "gen_ai.response.model": "large-1",
                "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2,
                "promptory.prompt.key": name, "promptory.prompt.version": 1, "promptory.prompt.label": "production",
            })
        try:
            with tracer.start_as_current_span("chat large") as span:
                span.set_attributes({"promptory.prompt.key": name, "promptory.prompt.version": 1})
                raise TimeoutError
        except TimeoutError:
            pass
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.url}/v1/otlp",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{key}",
    }
    os.environ.update(settings)
    exporters = [OTLPSpanExporter(), OTLPSpanExporter(compression=Compression.Gzip)]
    for setting in settings:
        del os.environ[setting]
    for exporter in exporters:
        checks.equal("exported", exporter.export(ended.get_finished_spans()), SpanExportResult.SUCCESS)
        exporter.shutdown()
    groups = counted(server, name, "version", "label", "model", "caller")
    checks.equal("groups", [(g["version"], g["label"], g["model"], g["caller"], g["count"], g["errors"]) for g in groups], [
        (1, None, None, "shop", 1, 1), (1, "production", "large-1", "shop", 1, 0)])
    checks.equal("tokens", sum(g["input_tokens"] + g["output_tokens"] for g in groups), 9)
    print(f"opentelemetry (PyPI): {checks.count} checks")
    return [f"opentelemetry (PyPI): {failure}" for failure in checks.failures]


def script(name, *arguments, public_key, secret_key):
    """Runs one with npm's SDKs; what it printed, and why it failed."""
    environment = {**os.environ, "LANGFUSE_PUBLIC_KEY": public_key, "LANGFUSE_SECRET_KEY": secret_key}
    command = ["node", str(Path(__file__).parent.parent / "langfuse" / name), *arguments]
    ran = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=NODE_SECONDS, check=False)
    return ran.stdout.strip(), [] if ran.returncode == 0 else [f"{name} (npm): {ran.stderr[-3000:]}"]


def javascript_sdk(tool, url, public_key, secret_key):
    """All of it with npm's `@langfuse/client`."""
    printed, failures = script("client.mjs", str(tool), url, nowhere(), public_key=public_key, secret_key=secret_key)
    print(printed)
    return failures


def traced_in_javascript(tool, server, public_key, secret_key):
    """Runs that npm's `@langfuse/tracing` and `@langfuse/otel` trace, and scores of them."""
    checks = Checks("status_code")
    printed, failures = script("traces.mjs", str(tool), server.url, public_key=public_key, secret_key=secret_key)
    if failures:
        return failures
    checks.equal("runs", [[len(part) for part in run] for run in json.loads(printed)], [[32, 16]] * 2)
    groups = counted(server, "js/traced", "version", "model")
    checks.equal("groups", [(g["version"], g["model"], g["count"], g["errors"]) for g in groups], [(2, "small", 2, 0)])
    checks.equal("amounts", [(g["input_tokens"], g["output_tokens"], g["cost_nanos"]) for g in groups], [(24, 6, 6_000_000)])
    scores = groups[0]["scores"] if groups else {}
    helpful = scores.get("helpful", {}).get("numbers", {})
    checks.equal("helpful", (helpful.get("count"), helpful.get("mean")), (2, 0.5))
    checks.equal("others", (scores.get("liked"), scores.get("tone")), ({"true": 1, "false": 0}, {"categories": {"warm": 2}}))
    print(f"@langfuse/tracing (npm): {checks.count} checks")
    return [f"@langfuse/tracing (npm): {failure}" for failure in checks.failures]


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
        owner = Client(server.url, server.key)
        keys = [owner.call("POST", "/v1/keys", {"role": "editor"})["key"] for _ in range(2)]
        pairs = [key.rsplit("_", 1) for key in keys]
        failures += python_sdk(owner, *pairs[0])
        # The SDK has one client for each public key.
        failures += traced_by_langfuse(owner, *pairs[1])
        failures += traced_by_opentelemetry(owner, keys[0])
        failures += javascript_sdk(tool / "js", server.url, *pairs[0])
        failures += traced_in_javascript(tool / "js", owner, *pairs[0])
        failures += server.end()
    conclude(failures, work)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""MLflow's own client, unmodified, against a server of its own: PyPI's `mlflow-skinny`. It registers prompts, loads them by
version and by alias, caches, moves aliases, sets tags and searches, shows a token or a name and a password, and is refused
what is refused.
"""

import argparse
import logging
import os
import sys
import tempfile
import threading
import warnings
from pathlib import Path

from checks import Checks, answered, nowhere
from promptory_client import Client, Server, conclude

# What a load by version asks for, as the router has it.
LOADED = "/api/2.0/mlflow/model-versions/get"


def linked():
    """Waits for what the client does beside a load: it notes its experiment at the prompt."""
    for thread in threading.enumerate():
        if thread.name.startswith("link_prompt_to_experiment"):
            thread.join()


def versions(checks, genai, server):
    """A text with two versions: registered, loaded by version, by alias and as the latest; formatted, cached."""
    config = {"model_name": "large", "temperature": 0.5}
    first = genai.register_prompt(
        "greet", "Hello, {{ name }}.", commit_message="first", tags={"team": "mail", "word": ""}, model_config=config,
        response_format={"type": "object", "properties": {"text": {"type": "string"}}},
    )
    linked()
    checks.equal("registered", (first.name, first.version, first.template, first.commit_message), ("greet", 1, "Hello, {{ name }}.", "first"))
    second = genai.register_prompt("greet", "Good day, {{ name }}.", tags={"team": "web"})
    linked()
    checks.equal("second", (second.version, second.tags, second.model_config), (2, {"team": "web"}, None))
    one = genai.load_prompt("prompts:/greet/1")
    checks.equal("loaded", (one.version, one.template, one.commit_message), (1, "Hello, {{ name }}.", "first"))
    checks.equal("tags of the version", one.tags, {"team": "mail", "word": ""})
    checks.equal("configuration", (one.model_config["model_name"], one.model_config["temperature"]), ("large", 0.5))
    checks.equal("response format", one.response_format["properties"], {"text": {"type": "string"}})
    checks.equal("formatted", (one.format(name="Ada"), one.variables), ("Hello, Ada.", {"name"}))
    checks.equal("by name and number", genai.load_prompt("greet", version=2).template, "Good day, {{ name }}.")
    checks.equal("latest", genai.load_prompt("greet").version, 2)
    genai.set_prompt_alias("greet", alias="production", version=1)
    checks.equal("by alias", genai.load_prompt("prompts:/greet@production").version, 1)
    genai.set_prompt_alias("greet", alias="production", version=2)
    moved = genai.load_prompt("prompts:/greet@production")
    checks.equal("moved", (moved.version, moved.aliases), (2, ["production"]))
    linked()
    before = answered(server, LOADED)
    for _ in range(5):
        genai.load_prompt("prompts:/greet@production")
        genai.load_prompt("greet", version=1)
    checks.equal("cached: no request", answered(server, LOADED), before)
    genai.load_prompt("greet", version=1, cache_ttl_seconds=0)
    checks.equal("not cached: one request", answered(server, LOADED), before + 1)
    linked()
    ours = server.prompt("greet", version=1)
    checks.equal("ours", (ours["text"], ours["version"]["message"], ours["labels"], ours["tags"]), (
        "Hello, {{ name }}.", "first", {"production": 2}, ["team=web", "word"]))
    genai.delete_prompt_alias("greet", alias="production")
    checks.raises("an alias that is gone", "RESOURCE_DOES_NOT_EXIST", lambda: genai.load_prompt("prompts:/greet@production"))
    checks.equal("allowed to be missing", genai.load_prompt("prompts:/greet@production", allow_missing=True), None)


def chats(checks, genai):
    """A chat."""
    messages = [{"role": "system", "content": "Be {{ tone }}."}, {"role": "user", "content": "{{ q }}"}]
    genai.register_prompt("chat", messages)
    chat = genai.load_prompt("chat", version=1)
    checks.equal("chat", (chat.template, chat.is_text_prompt), (messages, False))
    checks.equal("formatted chat", [m["content"] for m in chat.format(tone="kind", q="why?")], ["Be kind.", "why?"])
    linked()
    checks.raises("of another type", "RESOURCE_CONFLICT", lambda: genai.register_prompt("chat", "text"))


def tags(checks, genai, client, server):
    """Tags of a prompt, and prompts found by them."""
    genai.set_prompt_tag("greet", "stage", "new")
    genai.set_prompt_tag("greet", "stage", "old")
    checks.equal("a tag", client.get_prompt("greet").tags, {"stage": "old", "team": "web", "word": ""})
    genai.delete_prompt_tag("greet", "stage")
    checks.equal("no such tag", client.get_prompt("greet").tags, {"team": "web", "word": ""})
    genai.register_prompt("gruss", "Hallo.", tags={"team": "mail"})
    linked()
    names = lambda **asked: [prompt.name for prompt in genai.search_prompts(**asked)]
    checks.equal("all", names(), ["chat", "greet", "gruss"])
    checks.equal("ordered", names(order_by=["name ASC"], max_results=2), ["chat", "greet"])
    checks.equal("by name", names(filter_string="name LIKE 'gr%'"), ["greet", "gruss"])
    checks.equal("by tag", names(filter_string="tags.team = 'mail'"), ["gruss"])
    checks.equal("of an experiment", names(filter_string="experiment_id = '1'"), [])
    found = genai.search_prompts(filter_string="name = 'gruss'")[0]
    checks.equal("found", (found.tags, found.creation_timestamp > 0), ({"team": "mail"}, True))
    page = client.search_prompts(max_results=2)
    rest = client.search_prompts(max_results=2, page_token=page.token)
    checks.equal("pages", [prompt.name for prompt in [*page, *rest]], ["chat", "greet", "gruss"])
    every = client.search_prompt_versions("greet")
    checks.equal("versions", [version.version for version in every], [2, 1])
    checks.equal("by either", [client.get_prompt_version("greet", which).version for which in (1, "latest")], [1, 2])
    events = server.call("GET", "/v1/status")["position"]
    genai.load_prompt("gruss", version=1, cache_ttl_seconds=0)
    linked()
    checks.equal("a load writes nothing", server.call("GET", "/v1/status")["position"], events)


def refusals(checks, genai, client, server):
    """What is not there, what is not done here, and what is not allowed."""
    missing = "RESOURCE_DOES_NOT_EXIST"
    checks.raises("not there", missing, lambda: genai.load_prompt("nobody", version=1))
    checks.equal("allowed to be missing", genai.load_prompt("nobody", version=1, allow_missing=True), None)
    checks.equal("no such prompt", client.get_prompt("nobody"), None)
    checks.raises("no such version", missing, lambda: genai.load_prompt("greet", version=9))
    checks.raises("an alias on none", missing, lambda: genai.set_prompt_alias("greet", alias="x", version=9))
    checks.raises("a tag of none", missing, lambda: genai.set_prompt_tag("nobody", "a", "b"))
    checks.raises("latest is not moved", "INVALID_PARAMETER_VALUE", lambda: genai.set_prompt_alias("greet", alias="latest", version=1))
    checks.raises("no label", "INVALID_PARAMETER_VALUE", lambda: genai.set_prompt_alias("greet", alias="Champion", version=1))
    checks.raises("no such order", "INVALID_PARAMETER_VALUE", lambda: genai.search_prompts(order_by=["timestamp DESC"]))
    checks.raises("no filter", "INVALID_PARAMETER_VALUE", lambda: genai.search_prompts(filter_string="version > 1"))
    # The first version is refused, and so nothing is left: the client takes away what it has said is to come.
    bad = {"type": 1}
    checks.raises("no schema", "INVALID_PARAMETER_VALUE", lambda: genai.register_prompt("bad", "x", response_format=bad))
    checks.equal("nothing is left of it", client.get_prompt("bad"), None)
    kept = "NOT_IMPLEMENTED"
    checks.raises("deleting", kept, lambda: client.delete_prompt("greet"))
    checks.raises("deleting a version", kept, lambda: client.delete_prompt_version("greet", "1"))
    checks.raises("a version's tag", kept, lambda: genai.set_prompt_version_tag("greet", 1, "a", "b"))
    checks.raises("a version's tag away", kept, lambda: genai.delete_prompt_version_tag("greet", 1, "team"))
    checks.raises("a version's configuration", kept, lambda: genai.set_prompt_model_config("greet", 1, {"temperature": 1}))
    checks.raises("a model", "INVALID_PARAMETER_VALUE", lambda: client.create_registered_model("model"))
    checks.equal("no models", list(client.search_registered_models()), [])
    # A protected label holds for this client as for everybody.
    genai.set_prompt_alias("greet", alias="stable", version=1)
    server.call("PUT", "/v1/protections/stable", {"approvals": 1})
    checks.raises("a protected label", "RESOURCE_CONFLICT", lambda: genai.set_prompt_alias("greet", alias="stable", version=2))
    checks.equal("where it was", genai.load_prompt("prompts:/greet@stable").version, 1)


def others(checks, genai, server):
    """By name and password; a reader, who may load and nothing else; a stranger."""
    def shown(**settings):
        for name in ("TOKEN", "USERNAME", "PASSWORD"):
            os.environ.pop(f"MLFLOW_TRACKING_{name}", None)
        os.environ.update({f"MLFLOW_TRACKING_{name}": value for name, value in settings.items()})

    key = server.call("POST", "/v1/keys", {"role": "viewer"})["key"]
    public, secret = key.rsplit("_", 1)
    shown(USERNAME=public, PASSWORD=secret)
    checks.equal("a reader", genai.load_prompt("greet", version=2, cache_ttl_seconds=0).version, 2)
    checks.raises("a reader's version", "PERMISSION_DENIED", lambda: genai.register_prompt("new", "x"))
    checks.raises("a reader's alias", "PERMISSION_DENIED", lambda: genai.set_prompt_alias("greet", alias="x", version=1))
    linked()
    shown(TOKEN=f"{key}x")
    checks.raises("a stranger", "UNAUTHENTICATED", lambda: genai.load_prompt("greet", version=2, cache_ttl_seconds=0))


def run(server, key):
    """All of it."""
    os.environ["MLFLOW_TRACKING_TOKEN"] = key
    import mlflow  # noqa: PLC0415 - of the tool's folder, which is named on the command line

    # Experiments are elsewhere, and prompts need nothing of it.
    mlflow.set_tracking_uri(nowhere())
    mlflow.set_registry_uri(server.url)
    # An experiment is in use, as with many of its users: then the client notes it at each prompt that it loads.
    mlflow.tracking.fluent._active_experiment_id = "1"  # noqa: SLF001 - to make one it would ask for an API that is not here
    # It has much to say about what it is refused here on purpose.
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    checks, client = Checks("error_code"), mlflow.MlflowClient()
    versions(checks, mlflow.genai, server)
    chats(checks, mlflow.genai)
    tags(checks, mlflow.genai, client, server)
    refusals(checks, mlflow.genai, client, server)
    others(checks, mlflow.genai, server)
    print(f"mlflow-skinny {mlflow.__version__} (PyPI): {checks.count} checks")
    return [f"mlflow: {failure}" for failure in checks.failures]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/promptory")
    parser.add_argument("--tool", default="target/tools/mlflow", help="the folder with the client")
    args = parser.parse_args()
    sys.path.insert(0, str(Path(args.tool).resolve()))
    # Nothing of the machine's own settings, and nothing is told to its makers.
    for variable in [variable for variable in os.environ if variable.startswith(("MLFLOW_", "DATABRICKS_"))]:
        del os.environ[variable]
    os.environ.update({"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"})
    work = Path(tempfile.mkdtemp(prefix="promptory-mlflow-"))
    failures = []
    with Server(Path(args.binary).resolve(), work / "data", "mlflow").start() as server:
        # Programs have a key of their own, with no more rights than they need.
        key = server.client().call("POST", "/v1/keys", {"role": "editor"})["key"]
        failures += run(Client(server.url, server.key), key)
        failures += server.end()
    conclude(failures, work)


if __name__ == "__main__":
    main()

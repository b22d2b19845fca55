"""Bad requests, each with what may come back: the material of `bad_input.py`.

`refused`: a 4xx problem document (of the given codes, if any are given). `answered`: anything but 5xx, and a problem
document if it is 4xx. `below`: broken beneath HTTP, so that no route ever sees it: the connection may close, or a bare
4xx come back.
"""

import json
from dataclasses import dataclass

JSON = ("Content-Type", "application/json")
LONG = 10**20


@dataclass
class Case:
    """One bad request as bytes, and what may come back."""

    name: str
    raw: bytes
    expect: str
    codes: tuple = ()
    method: str = "GET"
    # Whether the client stops sending after this (a body cut short).
    half_close: bool = False


def request(method, target, key=None, headers=(), body=None):
    """A request as bytes. `target` and header values may be bytes that are not ASCII."""
    lines = [b" ".join([method.encode(), as_bytes(target), b"HTTP/1.1"]), b"Host: localhost", b"Connection: close"]
    if key is not None:
        lines.append(b"Authorization: Bearer " + as_bytes(key))
    lines += [as_bytes(name) + b": " + as_bytes(value) for name, value in headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def as_bytes(text):
    """Bytes as they are, text as UTF-8 (a lone surrogate too: it is bad input)."""
    return text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogatepass")


def get(name, target, key, expect="refused", codes=(), headers=()):
    """A bad read."""
    return Case(name, request("GET", target, key, headers), expect, codes)


def write(name, method, target, key, body, expect="refused", codes=(), headers=(JSON,)):
    """A bad write; the body is JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name, request(method, target, key, headers, raw), expect, codes, method)


def all_cases(world):
    """Every case, in a fixed order."""
    for theme in (keys, paths, reads, scim, shapes, creations, templates, changes, batches, operators, bodies, below_http):
        yield from theme(world)


def keys(world):
    """No key, wrong keys, keys that may not."""
    status, good = "/v1/status", world.owner
    head, secret = good.rsplit("_", 1)
    tenant_part, key_id = head.rsplit("_", 1)
    other_secret = ("b" if secret[0] == "a" else "a") + secret[1:]
    other_id = ("0" if key_id[0] != "0" else "1") + key_id[1:]
    bad = {
        "empty": "", "not a key": "hello", "only a prefix": "pk_", "forged secret": f"{head}_{other_secret}",
        "other key id": f"{tenant_part}_{other_id}_{secret}", "other tenant": good.replace(tenant_part, "pk_nobody", 1),
        "secret cut off": good[:-3], "secret too long": good + "aa", "capitals": good.upper(), "revoked": world.revoked,
        "system tenant, forged": f"pk__system_{key_id}_{secret}", "bytes beyond ASCII": b"pk_\xff\xfe_\x80",
        "very long": "pk_" + "a" * 6000,
    }
    for name, key in bad.items():
        yield get(f"key: {name}", status, key, codes=("unauthenticated",))
        yield write(f"key on a write: {name}", "POST", "/v1/prompts", key, {"key": "x", "text": "x"}, codes=("unauthenticated",))
    yield get("no key", status, None, codes=("unauthenticated",))
    yield get("no key, event stream", "/v1/events", None, codes=("unauthenticated",), headers=[("Accept", "text/event-stream")])
    yield get("revoked key, event stream", "/v1/events", world.revoked, headers=[("Accept", "text/event-stream")])
    yield get("another scheme", status, None, codes=("unauthenticated",), headers=[("Authorization", "Basic " + good)])
    token, tenant = ("Authorization", "Bearer e30.e30.e30"), ("Promptory-Tenant", tenant_part[3:])
    yield get("a token for no tenant", status, None, codes=("unauthenticated",), headers=[token])
    yield get("a token of nobody", status, None, codes=("unauthenticated",), headers=[token, tenant])
    yield get("a token of nobody, event stream", "/v1/events", None, codes=("unauthenticated",), headers=[token, tenant, ("Accept", "text/event-stream")])
    yield get("a token for the operators", status, None, codes=("unauthenticated",), headers=[token, ("Promptory-Tenant", "_system")])
    yield get("scheme alone", status, None, codes=("unauthenticated",), headers=[("Authorization", "Bearer")])
    yield write("a viewer writes", "POST", "/v1/prompts", world.viewer, {"key": "x", "text": "x"}, codes=("forbidden",))
    yield write("a viewer issues keys", "POST", "/v1/keys", world.viewer, {"role": "owner"}, codes=("forbidden",))
    yield write("an owner makes tenants", "POST", "/v1/tenants", good, {"tenant": "mine"})
    yield write("an owner suspends a tenant", "POST", "/v1/tenants/other/suspend", good, {})


def paths(world):
    """Paths that lead nowhere, methods that a path does not take, escapes that are none."""
    key = world.owner
    for target in ("/", "/v1", "/v2/prompts", "/v1/nope", "//v1/prompts", "/v1/prompts/a/b/c/d", "/v1/prompts/x/", "/V1/PROMPTS"):
        yield get(f"path {target}", target, key)
    for method, target in (
        ("DELETE", "/v1/prompts"), ("PATCH", "/v1/prompts/x"), ("PUT", "/v1/events"), ("POST", "/v1/status"), ("BREW", "/v1/prompts"),
        ("TRACE", "/v1/status"), ("OPTIONS", "/v1/commands"), ("GET", "/v1/commands"), ("DELETE", "/healthz"), ("HEAD", "/v1/commands"),
    ):
        yield Case(f"{method} {target}", request(method, target, key, [JSON], b"{}"), "refused", ("method-not-allowed",), method)
    for name, prompt in {
        "cut escape": "%", "cut escape 2": "%2", "no escape": "%zz", "invalid UTF-8": "%ff%fe", "overlong UTF-8": "%c0%af",
        "NUL": "%00", "newline": "a%0Ab", "surrogate": "%ed%a0%80", "not NFC": "e%CC%81", "too long": "a" * 1025,
        "bad id": "prm_zz", "unknown id": "prm_" + "0" * 32, "unknown key": "bad-input%2Fnobody", "dots": "..%2F..%2Fetc%2Fpasswd",
    }.items():
        yield get(f"prompt in path: {name}", f"/v1/prompts/{prompt}", key)
        yield write(f"version under: {name}", "POST", f"/v1/prompts/{prompt}/versions", key, {"text": "x"})
    yield get("path of 9,000 bytes", "/v1/prompts/" + "a" * 9000, key, codes=("uri-too-long",))


def scim(world):
    """Bodies, patches and filters of SCIM: refusals have its own form, so only that they are refused is looked at."""
    key, users, groups = world.owner, "/scim/v2/Users", "/scim/v2/Groups"
    nobody = f"{users}/pri_{'0' * 32}"
    for name, body in {
        "no object": [], "no name": {}, "a number for a name": {"userName": 1}, "no text": {"userName": None}, "cut": b'{"userName":',
        "another schema": {"schemas": ["urn:x"], "userName": "x"}, "too long a name": {"userName": "x" * 2000},
        "a profile too large": {"userName": "x", "title": "x" * 70000}, "two primaries": {"userName": "x", "emails": [{"primary": True}, {"primary": True}]},
    }.items():
        yield write(f"SCIM user: {name}", "POST", users, key, body, "answered")
    yield write("SCIM group: a member that there is not", "POST", groups, key, {"displayName": "x", "members": [{"value": "nobody"}]}, "answered")
    yield write("SCIM patch of nobody", "PATCH", nobody, key, {"Operations": [{"op": "remove", "path": "emails[type eq"}]}, "answered")
    for query in ("filter=", "filter=userName", "filter=userName%20eq%20%22", "filter=%28%28%28", "filter=" + "%28" * 900, "startIndex=x", "count=-1", "count=99999999999999999999"):
        yield get(f"SCIM list: {query[:40]}", f"{users}?{query}", key, "answered")
    yield get("SCIM: an id that is none", f"{users}/%ff%fe", key, "answered")
    yield get("SCIM without a key", users, None, "answered")


def reads(world):
    """Query parameters."""
    one, some = f"/v1/prompts/{world.prompt_segment}", "/v1/prompts"
    for name, target, codes in (
        ("as_of before the beginning", f"{one}?as_of=1900-01-01T00:00:00Z", ("prompt-not-found",)),
        ("as_of recorded before the beginning", f"{one}?as_of=1970-01-01T00:00:00Z&clock=recorded", ("prompt-not-found",)),
        ("as_of index 0", f"{one}?as_of=0", ("prompt-not-found",)), ("as_of beyond the end", f"{one}?as_of=999999999", ("index-beyond-end",)),
        ("list beyond the end", f"{some}?as_of=999999999", ("index-beyond-end",)), ("as_of word", f"{one}?as_of=yesterday", ()),
        ("as_of negative", f"{one}?as_of=-1", ()), ("as_of huge", f"{one}?as_of={LONG}", ()), ("as_of empty", f"{one}?as_of=", ()),
        ("as_of day 32", f"{one}?as_of=2024-01-32T00:00:00Z", ()), ("as_of year 99999", f"{one}?as_of=99999-01-01T00:00:00Z", ()),
        ("as_of without zone", f"{one}?as_of=2024-01-01T00:00:00", ()), ("clock", f"{one}?clock=moon", ()),
        ("label and version", f"{one}?label=production&version=1", ()), ("version 0", f"{one}?version=0", ()),
        ("version word", f"{one}?version=one", ()), ("version negative", f"{one}?version=-1", ()), ("version huge", f"{one}?version={LONG}", ()),
        ("version missing", f"{one}?version=77", ("version-not-found",)), ("label missing", f"{one}?label=nobody", ("label-not-found",)),
        ("label form", f"{one}?label=No%20Label", ()), ("label history, form", f"{one}/labels/No%20Label/history", ()),
        ("limit 0", f"{some}?limit=0", ()), ("limit 1001", f"{some}?limit=1001", ()), ("limit negative", f"{some}?limit=-1", ()),
        ("limit word", f"{some}?limit=many", ()), ("limit huge", f"{some}?limit={LONG}", ()), ("cursor word", f"{some}?cursor=hello", ()),
        ("cursor base64", f"{some}?cursor=AAAAAAAAAAAAAAAA", ()), ("cursor escape", f"{some}?cursor=%ff", ()),
        ("versions, cursor", f"{one}/versions?cursor=hello", ()), ("versions, limit", f"{one}/versions?limit=0", ()),
        ("events from word", "/v1/events?from=start", ()), ("events from negative", "/v1/events?from=-1", ()),
        ("events from huge", f"/v1/events?from={LONG}", ()), ("events limit", "/v1/events?limit=0", ()),
        ("at_least word", "/v1/status?at_least=now", ()), ("at_least of another ledger", f"/v1/status?at_least={world.other_ledger}", ("other-incarnation",)),
        ("twice the same parameter", f"{one}?version=1&version=1", ()),
        ("unknown parameter", f"{one}?colour=red", ()), ("name of a parameter", f"{one}?%ff=1", ()),
    ):
        yield get(f"read: {name}", target, world.owner, codes=codes)
    if world.cursor:
        broken = world.cursor[:-1] + ("A" if world.cursor[-1] != "A" else "B")
        yield get("read: cursor with a changed end", f"{some}?limit=1&cursor={broken}", world.owner)
        yield get("read: cursor cut", f"{some}?limit=1&cursor={world.cursor[:-4]}", world.owner)
        yield get("read: cursor of another question", f"{one}/versions?cursor={world.cursor}", world.owner)
        yield get("read: cursor and another prefix", f"{some}?prefix=nobody&cursor={world.cursor}", world.owner)
        yield get("read: cursor and another point", f"{some}?as_of=1&cursor={world.cursor}", world.owner)


def shapes(world):
    """Bodies that are not what a route takes, for every route that takes one."""
    one = f"/v1/prompts/{world.prompt_segment}"
    routes = [
        ("POST", "/v1/prompts"), ("POST", f"{one}/versions"), ("PUT", f"{one}/key"), ("PUT", f"{one}/tags"), ("PUT", f"{one}/metadata"),
        ("PUT", f"{one}/labels/production"), ("POST", "/v1/commands"), ("POST", "/v1/keys"),
    ]
    bodies = {
        "empty": b"", "null": b"null", "number": b"17", "string": b'"x"', "array": b"[]", "cut": b'{"key": "x", "te', "words": b"key=x&text=y",
        "trailing": b'{"key":"x/y","text":"z"} more', "invalid UTF-8": b'{"key":"\xff\xfe","text":"x"}', "BOM": b'\xef\xbb\xbf{"key":"x","text":"y"}',
        "lone surrogate": b'{"key":"\\ud800","text":"x"}', "deep": b"[" * 100_000, "deep objects": b'{"config":' * 5000 + b"1" + b"}" * 5000,
        "huge number": b'{"version":1e999}', "unknown field": b'{"colour":"red"}', "single quotes": b"{'key':'x','text':'y'}",
        "NaN": b'{"version":NaN}', "control character in a string": b'{"key":"a\nb","text":"x"}',
    }
    for method, target in routes:
        for name, body in bodies.items():
            yield write(f"{method} {target}: {name}", method, target, world.owner, body)
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "\xff"):
            headers = [] if kind is None else [("Content-Type", kind)]
            yield write(f"{method} {target}: as {kind}", method, target, world.owner, {"key": "x/y", "text": "z"}, headers=headers)


def creations(world):
    """`POST /v1/prompts` with one thing wrong."""
    good = {"key": "bad-input/never", "text": "t"}
    wrong = {
        "no key": {"key": None}, "key a number": {"key": 7}, "key empty": {"key": ""}, "key with a newline": {"key": "a\nb"},
        "key with NUL": {"key": "a\0b"}, "key not NFC": {"key": "e\u0301"}, "key too long": {"key": "k" * 1025}, "key like an id": {"key": "prm_" + "0" * 32},
        "key taken": {"key": world.prompt}, "no content": {"text": None}, "text a number": {"text": 7}, "text a list": {"text": ["a"]},
        "both contents": {"messages": [{"role": "user", "content": "x"}]}, "text too long": {"text": "x" * (512 * 1024 + 1)},
        "label in capitals": {"labels": ["Production"]}, "label latest": {"labels": ["latest"]}, "label too long": {"labels": ["l" * 65]},
        "labels a string": {"labels": "production"}, "tags too many": {"tags": [f"t{n}" for n in range(65)]}, "tag too long": {"tags": ["t" * 129]},
        "tag empty": {"tags": [""]}, "config a list": {"config": []}, "config with a model that is none": {"config": {"model": {}}}, "config with a schema that is none": {"config": {"output_schema": {"type": "strng"}}}, "config that fetches": {"config": {"output_schema": {"$ref": "https://example.com/x"}}}, "config with two tools of one name": {"config": {"tools": [{"name": "a"}, {"name": "a"}]}}, "config too large": {"config": {"a": "x" * 70_000}}, "metadata a string": {"metadata": "x"},
        "occurred_at a word": {"occurred_at": "yesterday"}, "occurred_at in the future": {"occurred_at": "2999-01-01T00:00:00Z"},
        "occurred_at a number": {"occurred_at": 1700000000}, "author with an address": {"author": "somebody@example.org"},
        "author with spaces": {"author": "Some Body"}, "author too long": {"author": "a" * 65}, "message too long": {"message": "m" * 70_000},
        "message a number": {"message": 7}, "unknown field": {"colour": "red"}, "field of a command": {"type": "create_prompt", "prompt": "x"},
    }
    for name, change in wrong.items():
        body = {field: value for field, value in {**good, **change}.items() if value is not None}
        yield write(f"create: {name}", "POST", "/v1/prompts", world.owner, body)
    chat = {"key": "bad-input/never"}
    for name, messages in {"not a list": "x", "a list of strings": ["x"], "no role": [{"content": "x"}], "role a number": [{"role": 1, "content": "x"}],
                           "unknown field": [{"role": "user", "content": "x", "colour": 1}]}.items():
        yield write(f"create chat: {name}", "POST", "/v1/prompts", world.owner, {**chat, "messages": messages})
    yield write("create: idempotency key too long", "POST", "/v1/prompts", world.owner, good, headers=[JSON, ("Idempotency-Key", "i" * 300)])
    yield write("create: idempotency key with another body", "POST", "/v1/prompts", world.owner, good,
                codes=("idempotency-mismatch",), headers=[JSON, ("Idempotency-Key", world.idempotency_key)])


def templates(world):
    """Contents that are no templates, and renderings that say nothing."""
    key, one = world.owner, f"/v1/prompts/{world.prompt_segment}"
    deep = "{{ x" + "|f" * 200_000 + " }}"
    doubled = "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a == a }}"
    for name, text, code in (
        ("cut short", "a\n{{ b", "template-invalid"), ("deep", deep, "template-invalid"), ("doubled", doubled, "template-invalid"),
        ("macro", "{% macro a() %}{% endmacro %}", "template-invalid"), ("extends", "{% extends 'a@b' %}", "template-invalid"),
        ("include of a variable", "{% include a %}", "template-invalid"), ("include without a version", "{% include 'a' %}", "template-invalid"),
        ("include of nobody", "{% include 'bad-input/nobody@1' %}", "include-not-found"), ("nested blocks", "{% if a %}" * 50_000, "template-invalid"),
    ):
        yield write(f"template: {name}", "POST", f"{one}/versions", key, {"text": text, "template": "jinja"}, codes=(code,))
    for name, variables in {"a list": [], "a number": 1, "a name with a space": {"a b": {}}, "a type of no name": {"a": {"type": "text"}},
                            "a default of another type": {"a": {"type": "list", "default": 1}}, "too many": {f"v{n}": {} for n in range(257)},
                            "an unknown member": {"a": {"colour": 1}}}.items():
        yield write(f"variables: {name}", "POST", f"{one}/versions", key, {"text": "t", "variables": variables}, codes=("invalid-field",))
    yield write("template of no name", "POST", f"{one}/versions", key, {"text": "t", "template": "mustache"}, codes=("invalid-field",))
    for name, body, codes in (
        ("an unknown variable", {"variables": {"no such": 1}}, ("variables-invalid",)), ("variables a list", {"variables": []}, ("invalid-field",)),
        ("an unknown field", {"values": {}}, ("invalid-field",)), ("too much", {"variables": {"a": "x" * 1_100_000}}, ("too-large",)),
        ("no JSON", b"{", ("malformed-request",)), ("very deep", b'{"variables":{"a":' + b"[" * 100_000, ("malformed-request",)),
    ):
        yield write(f"render: {name}", "POST", f"{one}/render", key, body, codes=codes)
    yield write("render: nobody", "POST", "/v1/prompts/bad-input%2Fnobody/render", key, {}, codes=("prompt-not-found",))
    yield write("render: no such label", "POST", f"{one}/render?label=nobody", key, {}, codes=("label-not-found",))
    yield get("dependents of nobody", "/v1/prompts/bad-input%2Fnobody/dependents", key, codes=("prompt-not-found",))
    yield get("dependents: a cursor of another list", f"{one}/dependents?cursor={world.cursor}", key, codes=("invalid-field",))
    for name, path, code in (
        ("no such view", "nothing/rebuild", "invalid-field"), ("a view of control characters", "%00/rollback", "invalid-field"),
        ("a share that is none", "audit/rebuild?share=much", "invalid-field"), ("a share beyond a core", "audit/rebuild?share=7", "invalid-field"),
        ("nothing kept", "audit/rollback", "no-previous-model"),
    ):
        yield write(f"models: {name}", "POST", f"/v1/models/{path}", key, {}, codes=(code,))


def changes(world):
    """Writes on what is there, that may not be."""
    key, one = world.owner, f"/v1/prompts/{world.prompt_segment}"
    gone = f"/v1/prompts/{world.archived_id}"
    stale = [JSON, ("If-Match", '"ver_' + "0" * 32 + '"')]
    for name, method, target, body, codes, headers in (
        ("stale If-Match", "POST", f"{one}/versions", {"text": "n"}, ("precondition-failed",), stale),
        ("If-Match of no form", "POST", f"{one}/versions", {"text": "n"}, (), [JSON, ("If-Match", "ver")]),
        ("the other kind", "POST", f"{one}/versions", {"messages": [{"role": "user", "content": "x"}]}, ("kind-mismatch",), [JSON]),
        ("label on no version", "PUT", f"{one}/labels/production", {"version": 99}, ("version-not-found",), [JSON]),
        ("label on version 0", "PUT", f"{one}/labels/production", {"version": 0}, (), [JSON]),
        ("label latest", "PUT", f"{one}/labels/latest", {"version": 1}, ("label-reserved",), [JSON]),
        ("label form", "PUT", f"{one}/labels/No%20Label", {"version": 1}, (), [JSON]),
        ("label that is not there", "DELETE", f"{one}/labels/nobody", {}, ("label-not-found",), [JSON]),
        ("branch that is there", "PUT", f"{one}/branches/main", {"from": {"version": 77}}, ("version-not-found",), [JSON]),
        ("branch from two places", "PUT", f"{one}/branches/x", {"from": {"version": 1, "label": "latest"}}, (), [JSON]),
        ("branch form", "PUT", f"{one}/branches/No%20Branch", {}, (), [JSON]),
        ("branch main closed", "DELETE", f"{one}/branches/main", {}, ("branch-reserved",), [JSON]),
        ("branch that is not there", "DELETE", f"{one}/branches/nobody", {}, ("branch-not-found",), [JSON]),
        ("version on no branch", "POST", f"{one}/versions", {"text": "n", "branch": "nobody"}, ("branch-not-found",), [JSON]),
        ("fork to a taken key", "POST", f"{one}/forks", {"key": world.other_prompt}, ("key-taken",), [JSON]),
        ("fork of no version", "POST", f"{one}/forks", {"key": "bad-input/fork", "from": {"version": 77}}, ("version-not-found",), [JSON]),
        ("merge of strangers", "POST", f"{one}/merges", {"from": {"prompt": world.other_prompt}}, ("unrelated-versions",), [JSON]),
        ("merge of nothing", "POST", f"{one}/merges", {"from": {}}, (), [JSON]),
        ("merge decided unseen", "POST", f"{one}/merges", {"from": {"branch": "main"}, "text": "n"}, (), [JSON]),
        ("rename to a taken key", "PUT", f"{one}/key", {"to": world.other_prompt}, ("key-taken",), [JSON]),
        ("rename to a bad key", "PUT", f"{one}/key", {"to": "a\tb"}, (), [JSON]),
        ("restore what is not archived", "POST", f"/v1/prompts/{world.prompt_id}/restore", {}, ("prompt-not-archived",), [JSON]),
        ("restore by a key", "POST", f"{one}/restore", {}, (), [JSON]),
        ("version of an archived prompt", "POST", f"{gone}/versions", {"text": "n"}, ("prompt-archived",), [JSON]),
        ("restore under a taken key", "POST", f"{gone}/restore", {"key": world.prompt}, ("key-taken",), [JSON]),
        ("revoke no key", "DELETE", "/v1/keys/0000000000000000", {}, ("key-not-found",), [JSON]),
        ("revoke a key of no form", "DELETE", "/v1/keys/hello", {}, (), [JSON]),
        ("a role for nobody", "PUT", "/v1/principals/pri_" + "0" * 32 + "/roles/editor", {}, ("principal-not-found",), [JSON]),
        ("a role for no form", "PUT", "/v1/principals/somebody/roles/editor", {}, (), [JSON]),
        ("no such role", "POST", "/v1/keys", {"role": "emperor"}, ("role-not-found",), [JSON]),
        ("a role of no form", "POST", "/v1/keys", {"role": "The Emperor"}, (), [JSON]),
        ("a prefix without its end", "POST", "/v1/keys", {"role": "viewer", "prefix": "team"}, ("invalid-field",), [JSON]),
        ("a role that has ended", "POST", "/v1/keys", {"role": "viewer", "role_expires_at": "2020-01-01T00:00:00Z"}, ("expiry-in-past",), [JSON]),
        ("a role for no group", "PUT", "/v1/groups/grp_" + "0" * 32 + "/roles/viewer", {}, ("group-not-found",), [JSON]),
        ("a built-in role anew", "PUT", "/v1/roles/owner", {"actions": []}, ("invalid-field",), [JSON]),
        ("no such action", "PUT", "/v1/roles/poet", {"actions": ["fly"]}, ("invalid-field",), [JSON]),
        ("too long an overlap", "POST", "/v1/keys/0000000000000000/rotate", {"overlap_seconds": 2592001}, ("invalid-field",), [JSON]),
        ("an issuer without TLS", "POST", "/v1/issuers", {"url": "http://id.example", "audience": "a", "groups_claim": "g"}, ("invalid-field",), [JSON]),
        ("a claim of no issuer", "PUT", "/v1/issuers/iss_" + "0" * 32 + "/groups/staff", {"group": "grp_" + "0" * 32}, ("issuer-not-found",), [JSON]),
        ("distrusting no issuer", "DELETE", "/v1/issuers/iss_" + "0" * 32, {}, ("issuer-not-found",), [JSON]),
        ("a principal without a subject", "POST", "/v1/principals", {"url": "https://id.example", "audience": "a", "subject": ""}, ("invalid-field",), [JSON]),
        ("nobody's session", "POST", "/v1/sessions/revoke", {}, ("invalid-field",), [JSON]),
        ("rotating no key", "POST", "/v1/keys/0000000000000000/rotate", {}, ("key-not-found",), [JSON]),
        ("rotating a revoked key", "POST", f"/v1/keys/{world.revoked.rsplit('_', 2)[1]}/rotate", {}, ("key-revoked",), [JSON]),
        ("a label that needs no release", "POST", "/v1/releases", {"prompt": world.prompt, "label": "production", "version": 1}, ("label-not-protected",), [JSON]),
        ("a release of nothing", "POST", "/v1/releases", {"prompt": world.prompt, "label": "production"}, ("invalid-field",), [JSON]),
        ("approving no release", "POST", "/v1/releases/rel_" + "0" * 32 + "/approve", {}, ("release-not-found",), [JSON]),
        ("no approvals at all", "PUT", "/v1/protections/production", {"approvals": 0}, ("invalid-field",), [JSON]),
        ("a window that ends first", "POST", "/v1/freezes", {"from": "2999-01-02T00:00:00Z", "until": "2999-01-01T00:00:00Z"}, ("empty-window",), [JSON]),
        ("lifting no freeze", "DELETE", "/v1/freezes/frz_" + "0" * 32, {}, ("freeze-not-found",), [JSON]),
        ("rolling back what never moved", "POST", f"{one}/labels/production/rollback", {}, ("nothing-to-roll-back",), [JSON]),
        ("a rollout of a label that is not there", "POST", f"{one}/labels/never/rollout", {"arms": [{"version": 1, "weight": 10000}]}, ("label-not-found",), [JSON]),
        ("a rollout that adds up to less", "POST", f"{one}/labels/production/rollout", {"arms": [{"version": 1, "weight": 1}]}, ("invalid-field",), [JSON]),
        ("a rollout of weights that are no numbers", "POST", f"{one}/labels/production/rollout", {"arms": [{"version": 1, "weight": "all"}]}, ("invalid-field",), [JSON]),
        ("pausing no rollout", "POST", f"{one}/labels/production/rollout/pause", {}, ("rollout-not-found",), [JSON]),
        ("a comment on nothing", "POST", f"{one}/comments", {"text": "x"}, ("invalid-field",), [JSON]),
        ("an operator in a tenant", "POST", "/v1/keys", {"role": "operator"}, (), [JSON]),
        ("role and principal", "POST", "/v1/keys", {"role": "viewer", "principal": "pri_" + "0" * 32}, (), [JSON]),
        ("neither role nor principal", "POST", "/v1/keys", {}, (), [JSON]),
        ("name too long", "POST", "/v1/keys", {"role": "viewer", "name": "n" * 300}, (), [JSON]),
        ("tags not a list", "PUT", f"{one}/tags", {"tags": "a"}, (), [JSON]),
        ("metadata not an object", "PUT", f"{one}/metadata", {"metadata": [1]}, (), [JSON]),
    ):
        yield write(f"change: {name}", method, target, key, body, codes=codes, headers=headers)
    yield write("an admin makes owners", "POST", "/v1/keys", world.admin, {"role": "owner"}, codes=("delegation-exceeds",))


def batches(world):
    """`POST /v1/commands`: each command's refusal is a problem document inside a 200 answer."""
    bad = {"type": "add_version", "prompt": "bad-input/nobody", "text": "x"}
    for name, body, expect in (
        ("not a list", {"commands": "x"}, "refused"), ("no list", {}, "refused"), ("too many", {"commands": [bad] * 1001}, "refused"),
        ("refused ones", {"commands": [bad, {**bad, "prompt": world.archived_id}]}, "refused within"),
        ("unknown type", {"commands": [{"type": "fly"}]}, "refused within"), ("strings", {"commands": ["x", 1, None]}, "refused within"),
        ("unknown field", {"commands": [{**bad, "colour": 1}]}, "refused within"), ("no prompt", {"commands": [{"type": "archive_prompt"}]}, "refused within"),
        ("all or nothing", {"atomic": True, "commands": [{"type": "create_prompt", "key": "bad-input/never", "text": "x"}, bad]}, "refused"),
        ("atomic is no number", {"atomic": 1, "commands": [bad]}, "refused"),
        ("a quota by an owner", {"commands": [{"type": "set_quota", "quota": "prompts", "limit": 1}]}, "refused within"),
        ("tenants by an owner", {"commands": [{"type": "create_tenant", "tenant": "mine"}]}, "refused within"),
    ):
        yield write(f"commands: {name}", "POST", "/v1/commands", world.owner, body, expect=expect)


def operators(world):
    """What an operator may not do, and what a suspended tenant's owner may not."""
    if world.operator is None:
        return
    for name, method, target, body, codes in (
        ("a tenant that is there", "POST", "/v1/tenants", {"tenant": world.suspended_tenant}, ("tenant-exists",)),
        ("the system's tenant", "POST", "/v1/tenants", {"tenant": "_system"}, ()), ("a tenant with spaces", "POST", "/v1/tenants", {"tenant": "a b"}, ()),
        ("a tenant without a name", "POST", "/v1/tenants", {"tenant": ""}, ()), ("a tenant with a long name", "POST", "/v1/tenants", {"tenant": "t" * 500}, ()),
        ("a title that is too long", "POST", "/v1/tenants", {"tenant": "never", "title": "t" * 300}, ()),
        ("no such quota", "PUT", f"/v1/tenants/{world.suspended_tenant}/quotas/everything", {"limit": 1}, ("invalid-field",)),
        ("a quota below nothing", "PUT", f"/v1/tenants/{world.suspended_tenant}/quotas/prompts", {"limit": -1}, ("invalid-field",)),
        ("a quota for nobody", "PUT", "/v1/tenants/nobody-here/quotas/prompts", {"limit": 1}, ("tenant-not-found",)),
        ("suspending nobody", "POST", "/v1/tenants/nobody-here/suspend", {}, ("tenant-not-found",)),
        ("resuming nobody", "POST", "/v1/tenants/nobody-here/resume", {}, ("tenant-not-found",)),
        ("an owner for nobody", "POST", "/v1/tenants/nobody-here/owners", {}, ("tenant-not-found",)),
        ("keys without a backup key", "POST", f"/v1/backups/bkp_{'0' * 32}/keys", {}, ("no-backup-key",)),
        ("keys of no backup", "POST", "/v1/backups/bkp_0/keys", {}, ("invalid-field",)),
        ("a prompt in the system's tenant", "POST", "/v1/prompts", {"key": "x", "text": "x"}, ()),
    ):
        yield write(f"operator: {name}", method, target, world.operator, body, codes=codes)
    yield get("a suspended tenant reads", "/v1/prompts", world.suspended, codes=("tenant-suspended",))
    yield write("a suspended tenant writes", "POST", "/v1/prompts", world.suspended, {"key": "x", "text": "x"}, codes=("tenant-suspended",))


def bodies(world):
    """Bodies of the wrong length."""
    over = 16 * 1024 * 1024 + 1
    start = request("POST", "/v1/prompts", world.owner, [JSON, ("Content-Length", over)])
    yield Case("body announced over the limit", start, "refused", ("too-large",), "POST")
    valid = b'{"key":"bad-input/never","text":"x"}'
    cut = request("POST", "/v1/prompts", world.owner, [JSON, ("Content-Length", len(valid) + 50)]) + valid
    yield Case("body cut short", cut, "below", (), "POST", half_close=True)
    chunked = request("POST", "/v1/prompts", world.owner, [JSON, ("Transfer-Encoding", "chunked")])
    yield Case("chunks cut short", chunked + b"24\r\n" + valid[:10], "below", (), "POST", half_close=True)
    yield Case("chunk length is no number", chunked + b"zz\r\n" + valid, "below", (), "POST", half_close=True)
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    yield Case("chunks over the limit", chunked + chunk * 17 + b"0\r\n\r\n", "streamed", ("too-large",), "POST")


def below_http(world):
    """What is no HTTP request, or over what the HTTP layer takes at all."""
    head = request("GET", "/v1/status", world.owner)[:-2]
    raw = {
        "noise": b"\x00\x01\x02\x03\xff\xfe\r\n\r\n", "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, "words": b"hello\r\n\r\n",
        "no version": b"GET /v1/status\r\n\r\n", "version 9": head.replace(b"HTTP/1.1", b"HTTP/9.9") + b"\r\n", "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "space in the path": head.replace(b"/v1/status", b"/v1/sta tus") + b"\r\n", "bytes in the path": head.replace(b"/v1/status", b"/v1/\xff\xfe") + b"\r\n",
        "space before the colon": head + b"X-Bad : x\r\n\r\n", "header without colon": head + b"nonsense\r\n\r\n", "NUL in a header": head + b"X-Bad: a\x00b\r\n\r\n",
        "header of 1 MB": head + b"X-Long: " + b"a" * 1_000_000 + b"\r\n\r\n", "5,000 headers": head + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
        "path of 100,000 bytes": head.replace(b"/v1/status", b"/v1/" + b"a" * 100_000) + b"\r\n", "two lengths": head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "length and chunks": head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "negative length": head + b"Content-Length: -1\r\n\r\n",
        "folded header": head + b"X-Fold: a\r\n b\r\n\r\n", "cut in the head": head[: len(head) // 2],
    }
    for name, data in raw.items():
        yield Case(f"below HTTP: {name}", data, "below", half_close=True)

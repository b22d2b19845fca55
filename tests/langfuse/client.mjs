// Langfuse's SDK for JavaScript against a server of ours: what its users do with prompts. Unmodified; only its address and keys
// are ours. Arguments: the folder that it is installed in, the server's address, an address where nobody is. The key's two
// parts are LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url, nowhere] = process.argv.slice(2);
const found = createRequire(pathToFileURL(`${folder}/x`)).resolve("@langfuse/client");
const { LangfuseClient } = await import(pathToFileURL(found));

const langfuse = new LangfuseClient({ baseUrl: url });
// Requests for a prompt that the server has answered, by what it says itself.
async function answered() {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith("promptory_http_request_seconds_count{"));
  const ours = lines.filter((line) => line.includes('method="GET"') && line.includes('route="/api/public/v2/prompts/{prompt}"'));
  return ours.reduce((sum, line) => sum + Number(line.split(" ").pop()), 0);
}

const name = "js/folder one/greet?#";
const made = await langfuse.prompt.create({
  name, prompt: "Hello, {{name}}.", labels: ["production"], tags: ["js"], config: { model: "large" }, commitMessage: "first",
});
assert.deepEqual([made.name, made.version, made.type, made.prompt], [name, 1, "text", "Hello, {{name}}."]);
await langfuse.prompt.create({ name, prompt: "Good day, {{name}}.", type: "text", labels: ["staging"] });

const text = await langfuse.prompt.get(name);
assert.deepEqual([text.version, text.config, text.tags, text.isFallback], [1, { model: "large" }, ["js"], false]);
assert.deepEqual([text.commitMessage, [...text.labels].sort()], ["first", ["production"]]);
assert.equal(text.compile({ name: "Ada" }), "Hello, Ada.");
assert.equal((await langfuse.prompt.get(name, { label: "staging" })).compile({ name: "Ada" }), "Good day, Ada.");
assert.equal((await langfuse.prompt.get(name, { label: "latest" })).version, 2);
assert.equal((await langfuse.prompt.get(name, { version: 2 })).prompt, "Good day, {{name}}.");

// What was fetched once is not fetched again; with a time to live of 0 it is.
const before = await answered();
for (let n = 0; n < 5; n += 1) await langfuse.prompt.get(name);
assert.equal(await answered(), before);
await langfuse.prompt.get(name, { cacheTtlSeconds: 0 });
assert.equal(await answered(), before + 1);

const moved = await langfuse.prompt.update({ name, version: 2, newLabels: ["production", "eu"] });
assert.deepEqual([moved.version, moved.labels.sort()], [2, ["eu", "latest", "production", "staging"]]);
assert.equal((await langfuse.prompt.get(name)).version, 2, "the SDK forgets what it has of a prompt that it changed");
await assert.rejects(langfuse.prompt.update({ name, version: 2, newLabels: ["latest"] }), { statusCode: 400 });

await langfuse.prompt.create({
  name: "js/chat", type: "chat", labels: ["production"],
  prompt: [{ role: "system", content: "Be {{tone}}." }, { type: "placeholder", name: "history" }, { role: "user", content: "{{q}}" }],
});
const chat = await langfuse.prompt.get("js/chat", { type: "chat" });
const history = [{ role: "user", content: "hi" }, { role: "assistant", content: "hello" }];
const said = chat.compile({ tone: "kind", q: "why?" }, { history });
assert.deepEqual(said.map(({ role, content }) => [role, content]),
  [["system", "Be kind."], ["user", "hi"], ["assistant", "hello"], ["user", "why?"]]);

await assert.rejects(langfuse.prompt.get("js/nobody", { maxRetries: 0 }), { statusCode: 404 });
await assert.rejects(langfuse.prompt.get(name, { label: "nobody", maxRetries: 0 }), { statusCode: 404 });
const fallback = await langfuse.prompt.get("js/nobody", { type: "text", fallback: "Hi, {{name}}.", maxRetries: 0 });
assert.deepEqual([fallback.isFallback, fallback.compile({ name: "Ada" })], [true, "Hi, Ada."]);
const away = new LangfuseClient({ baseUrl: nowhere });
const alone = await away.prompt.get(name, { type: "chat", fallback: [{ role: "user", content: "{{q}}" }], maxRetries: 0 });
assert.deepEqual([alone.isFallback, alone.compile({ q: "?" })[0].content], [true, "?"]);
const stranger = new LangfuseClient({ baseUrl: url, secretKey: "wrong" });
await assert.rejects(stranger.prompt.get(name, { maxRetries: 0 }), { statusCode: 401 });

const page = await langfuse.api.prompts.list({ tag: "js", limit: 10 });
assert.deepEqual(page.meta, { page: 1, limit: 10, totalItems: 1, totalPages: 1 });
assert.deepEqual([page.data[0].name, page.data[0].versions, page.data[0].type], [name, [1, 2], "text"]);
assert.deepEqual((await langfuse.api.prompts.list({ name: "js/chat" })).data.map((item) => item.labels), [["production", "latest"]]);
await assert.rejects(langfuse.prompt.delete(name), { statusCode: 405 });
console.log("@langfuse/client: everything is as its users expect it");

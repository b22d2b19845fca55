// Langfuse's SDKs for JavaScript against a server of ours: runs of prompts that they trace, and what is judged of them. Unmodified;
// only the address and keys are ours. Arguments: the folder that they are installed in, the server's address. The key's two parts
// are LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY. Prints the ids of what was run; what is counted of it is looked at by the caller.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url] = process.argv.slice(2);
const { resolve } = createRequire(pathToFileURL(`${folder}/x`));
const load = (name) => import(pathToFileURL(resolve(name)));
const { LangfuseClient } = await load("@langfuse/client");
const { LangfuseSpanProcessor } = await load("@langfuse/otel");
const { startActiveObservation } = await load("@langfuse/tracing");
const { NodeTracerProvider } = await load("@opentelemetry/sdk-trace-node");

const processor = new LangfuseSpanProcessor({ baseUrl: url });
new NodeTracerProvider({ spanProcessors: [processor] }).register();
const langfuse = new LangfuseClient({ baseUrl: url });

const name = "js/traced";
await langfuse.prompt.create({ name, prompt: "Hello, {{name}}.", labels: ["production"] });
await langfuse.prompt.create({ name, prompt: "Good day, {{name}}.", labels: ["production"] });
const prompt = await langfuse.prompt.get(name);
assert.equal(prompt.version, 2);

async function run(output) {
  return startActiveObservation("answer", async (root) => {
    const span = await startActiveObservation("llm", async (generation) => {
      generation.update({
        model: "small", input: prompt.compile({ name: "Ada" }), output, prompt,
        usageDetails: { input: 12, output: 3 }, costDetails: { input: 0.001, output: 0.002 },
      });
      langfuse.score.activeObservation({ name: "helpful", value: 0.5 });
      return generation.otelSpan.spanContext().spanId;
    }, { asType: "generation" });
    langfuse.score.trace(root, { name: "tone", value: "warm", dataType: "CATEGORICAL" });
    return [root.otelSpan.spanContext().traceId, span];
  });
}

const ids = [await run("one"), await run("two")];
await processor.forceFlush();
langfuse.score.create({ traceId: ids[0][0], observationId: ids[0][1], name: "liked", value: 1, dataType: "BOOLEAN" });
await langfuse.flush();
console.log(JSON.stringify(ids));

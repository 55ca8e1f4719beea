/**
 * `npm run replay -- REQUEST_ID… [--url URL] [--admin-key KEY] [--events]`: runs the stored plan of each request again over the bytes that its
 * upstreams sent, in plain Node, and compares the canonical events with those of the run. Exits with 1 when any differ, with 2 when nothing is
 * recorded of a request. `--events` prints them. `record` in the configuration turns recording on (schema/recording.ts).
 */
import { parseArgs } from "node:util";
import { parseWith } from "../schema/json.ts";
import { recordingViewSchema } from "../schema/recording.ts";
import { replayRecording } from "./replay/replay-recording.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: "string", default: "http://127.0.0.1:8787" },
    "admin-key": { type: "string", default: process.env["PLYRUM_ADMIN_KEY"] ?? "" },
    events: { type: "boolean", default: false },
  },
});

/** 0: the same; 1: other events; 2: there is nothing to replay. */
async function replay(requestId: string): Promise<number> {
  const response = await fetch(new URL(`/admin/recordings/${encodeURIComponent(requestId)}`, values.url), {
    headers: { authorization: `Bearer ${values["admin-key"]}` },
  });
  const text = await response.text();
  if (!response.ok) {
    console.error(`replay: ${requestId}: ${response.status} ${text}`);
    return 2;
  }
  const parsed = parseWith(recordingViewSchema, text);
  if (!parsed.ok) throw new Error(`the recording of ${requestId} is unreadable: ${parsed.message}`);
  const { recording, bodies } = parsed.value;
  const replayed = await replayRecording(
    recording,
    bodies.map((body) => Buffer.from(body, "base64")),
  );
  if (values.events) for (const event of replayed.events) console.log(JSON.stringify(event));
  const asked = recording.plan.attempts.map(({ provider, model }) => `${provider}/${model}`).join(", ");
  const steps = `${recording.steps.length} recorded step${recording.steps.length === 1 ? "" : "s"}`;
  if (replayed.isSame) {
    console.log(`replay: ${requestId}: same ${replayed.count} events (${asked}; ${steps}${recording.stopped ? "; called off" : ""})`);
    return 0;
  }
  const { events } = recording;
  console.error(`replay: ${requestId}: DIFFERENT (${asked}; ${steps})`);
  console.error(`  run:    ${events.count} events, ${events.sha256}\n  replay: ${replayed.count} events, ${replayed.sha256}`);
  return 1;
}

if (positionals.length === 0) {
  console.error("replay: name a request: npm run replay -- REQUEST_ID [--url URL] [--admin-key KEY] [--events]");
  process.exit(2);
}
let code = 0;
for (const requestId of positionals) code = Math.max(code, await replay(requestId));
process.exit(code);

/**
 * Recorded upstream bytes in the archive bucket, under `recordings/ACCOUNT/REQUEST/`: each call's body under its number, and what the rest of
 * a replay needs under `index`, which is written last. `recordings-of/REQUEST` says whose a request is; `recordings-due/DAY/REQUEST` when it
 * goes, so that a sweep reads what is due and nothing else.
 */
import { parseWith } from "../schema/json.ts";
import { type Recording, recordingSchema } from "../schema/recording.ts";
import { digestOf } from "./event-digest.ts";

const encoder = new TextEncoder();

export type RecordingFacts = Omit<Recording, "events">;

/** Writes a recording. `lines`: those of its run's events. */
export async function putRecording(
  bucket: R2Bucket,
  facts: RecordingFacts,
  kept: { bodies: readonly Uint8Array[]; lines: readonly string[] },
): Promise<void> {
  const { account_id: accountId, request_id: requestId } = facts;
  const folder = folderOf(accountId, requestId);
  const recording: Recording = { ...facts, events: { count: kept.lines.length, sha256: digestOf(kept.lines) } };
  await bucket.put(`recordings-due/${dayOf(facts.expires_at)}/${requestId}`, accountId);
  await Promise.all(kept.bodies.map((body, index) => bucket.put(`${folder}${index + 1}`, body)));
  await bucket.put(`${folder}index`, encoder.encode(JSON.stringify(recording)));
  await bucket.put(`recordings-of/${requestId}`, accountId);
}

/** Null: there is none, it is past its days, or a part of it is missing. */
export async function readRecording(
  bucket: R2Bucket,
  requestId: string,
  now: number,
): Promise<{ recording: Recording; bodies: Uint8Array[] } | null> {
  const accountId = await textOf(bucket, `recordings-of/${requestId}`);
  const text = accountId === null ? null : await textOf(bucket, `${folderOf(accountId, requestId)}index`);
  if (accountId === null || text === null) return null;
  const parsed = parseWith(recordingSchema, text);
  if (!parsed.ok) throw new Error(`the recording of ${requestId} is unreadable: ${parsed.message}`);
  if (parsed.value.expires_at <= now) return null;
  const calls = parsed.value.steps.flatMap((step) => (step.kind === "call" ? [step.number] : []));
  const bodies = await Promise.all(
    calls.map(async (number) => (await bucket.get(`${folderOf(accountId, requestId)}${number}`))?.arrayBuffer()),
  );
  const found = bodies.flatMap((body) => (body === undefined ? [] : [new Uint8Array(body)]));
  return found.length === calls.length ? { recording: parsed.value, bodies: found } : null;
}

/** Deletes at most so many recordings that are past their days. Gives how many. */
export async function sweepRecordings(bucket: R2Bucket, now: number, most: number): Promise<number> {
  const today = dayOf(now);
  const { objects } = await bucket.list({ prefix: "recordings-due/", limit: most });
  let swept = 0;
  for (const { key } of objects) {
    const [, day = "", requestId = ""] = key.split("/");
    if (day >= today) break;
    const accountId = await textOf(bucket, key);
    if (accountId !== null) {
      const { objects: parts } = await bucket.list({ prefix: folderOf(accountId, requestId) });
      await bucket.delete([...parts.map((part) => part.key), `recordings-of/${requestId}`]);
    }
    await bucket.delete(key);
    swept += 1;
  }
  return swept;
}

function folderOf(accountId: string, requestId: string): string {
  return `recordings/${accountId}/${requestId}/`;
}

/** The UTC day, as text that sorts. */
function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

async function textOf(bucket: R2Bucket, key: string): Promise<string | null> {
  return (await (await bucket.get(key))?.text()) ?? null;
}

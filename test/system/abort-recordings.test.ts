/** Ten recorded streams, left at every chunk, under both policies: one settled row each, and where the usage was seen, the recorded one. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { READINGS } from "../protocol/readings/index.ts";
import { type Recording, recordings, recordingsFolder } from "../protocol/recordings.ts";
import { post } from "./post.ts";
import { type Stage, startStage } from "./shared-system.ts";

const OWN_BODIES = join(import.meta.dirname, "../bodies");
const MODELS: Readonly<Record<string, string>> = {
  "openai-chat": "openai/gpt-5-mini",
  "anthropic-messages": "anthropic/claude-haiku-4-5",
};
const CHUNKS_MAX = 24;

function eventsOf({ bytes }: Recording): number {
  return bytes.toString("latin1").split(/\r?\n\r?\n/).length;
}

/** Whole answers of a length at which every chunk can be tried, of each format the same number. */
const chosen = Object.keys(MODELS).flatMap((protocol) =>
  recordings
    .filter((recording) => recording.protocol === protocol && recording.stream && recording.status === 200)
    .filter(
      (recording) => recordingsFolder === null || (recording.provider !== "own" && ["openai", "anthropic"].includes(recording.provider)),
    )
    .filter((recording) => {
      const reading = READINGS[recording.protocol]?.stream(recording.bytes, recording.provider);
      const isWhole = reading?.terminated === true && !reading.error && reading.outputTokens !== null;
      // A body of one provider's own way of counting is read by that provider's tests; here another one replays it.
      const isUsual = !recording.name.includes("reasoning-beside");
      return isWhole && isUsual && eventsOf(recording) > 4 && eventsOf(recording) <= CHUNKS_MAX && !/[,=@]/.test(recording.name);
    })
    .slice(0, 5),
);

let stage: Stage;
beforeAll(async () => {
  stage = await startStage({ PLYRUM_RECORDINGS: recordingsFolder ?? OWN_BODIES });
});
afterAll(() => stage.close());

test("there are ten of them", () => {
  expect(chosen).toHaveLength(10);
});

describe.each(chosen)("$name", (recording) => {
  test.each(["cancel", "finish"])("left at every chunk (%s) leaves one row each and no hold", async (policy) => {
    const account = await stage.account(1_000_000_000_000);
    const reading = READINGS[recording.protocol]?.stream(recording.bytes, recording.provider);
    const ids = await Promise.all(
      Array.from({ length: eventsOf(recording) }, async (_, leaveAfter) => {
        const sent = await post(
          stage,
          account,
          {
            model: `${MODELS[recording.protocol] ?? ""}@replay=${recording.name},delay=4`,
            max_tokens: 4096,
            stream: true,
            messages: [{ role: "user", content: "Hello" }],
          },
          { leaveAfter, headers: { "x-plyrum-on-disconnect": policy } },
        );
        return sent.id;
      }),
    );
    await account.atRest();
    const rows = await account.usage();
    expect(rows.map((row) => row.request_id).toSorted()).toEqual(ids.toSorted());
    expect(rows.filter((row) => row.state === "failed")).toEqual([]);
    const billed = rows.filter((row) => row.usage_source === "provider" && row.state === "settled");
    for (const row of billed) expect(row.output_tokens).toBe(reading?.outputTokens);
    if (policy === "finish") expect(billed).toHaveLength(rows.length);
    const charged = rows.reduce((sum, row) => sum + row.charged_micro_rub, 0);
    expect((await account.balance()).balance_micro_rub).toBe(1_000_000_000_000 - charged);
  });
});

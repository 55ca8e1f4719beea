/** Recorded streams in a lane's own storage: rows of bounded size, readers at any place, and an end whatever became of the owner. */
import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { StreamRows } from "../../workers/durable/stream-rows.ts";
import { type Account, endings, newAccount, open, send, until } from "../http/gateway.ts";
import { accountStub } from "./envelope.ts";

const FACTS = {
  headers: { "content-type": "text/event-stream" },
  numbered: true,
  interrupted: "data: interrupted\n\n",
  too_large: "data: too large\n\n",
};
const encoder = new TextEncoder();

async function readAll(records: StreamRows, id: string, after: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of records.read(id, after)?.events ?? []) text += bytes === null ? "" : decoder.decode(bytes, { stream: true });
  return text;
}

/** Runs with records of their own over a real object's storage. */
async function withRecords(
  run: (records: (now?: () => number) => StreamRows, storage: DurableObjectStorage) => Promise<void>,
): Promise<void> {
  const account = await newAccount(0);
  await runInDurableObject(accountStub(account), (_instance, { storage }) =>
    run((now = Date.now) => new StreamRows(storage.sql, now), storage),
  );
}

describe("a recorded stream", () => {
  test("is read from any event on, of whatever size, from rows and from memory", async () => {
    await withRecords(async (recordsOf) => {
      const records = recordsOf();
      const record = records.open("req_a", FACTS);
      const sizes = [10, LIMITS.resumableTailBytes, 3, 2 * LIMITS.resumablePartBytes + 17, 5, LIMITS.resumablePartBytes, 1, 40];
      const texts = sizes.map((size, index) => `${index}`.repeat(size));
      for (const [index, text] of texts.entries()) record.add(index + 1, encoder.encode(text));
      record.end();
      for (let after = -1; after <= texts.length; after++)
        expect(await readAll(records, "req_a", after)).toBe(texts.slice(Math.max(0, after)).join(""));
      expect(records.read("req_b", -1)).toBeNull();
    });
  });

  test("gives a reader who waits each event once, however it is saved meanwhile", async () => {
    await withRecords(async (recordsOf) => {
      const records = recordsOf();
      const record = records.open("req_a", FACTS);
      const readers = [readAll(records, "req_a", -1), readAll(records, "req_a", 3)];
      for (let number = 1; number <= 50; number++) {
        record.add(number, encoder.encode(`${number},`));
        if (number % 7 === 0) record.save();
        if (number % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      record.end();
      const whole = Array.from({ length: 50 }, (_, index) => `${index + 1},`);
      expect(await Promise.all(readers)).toEqual([whole.join(""), whole.slice(3).join("")]);
    });
  });

  test("that grew too large, or lost its owner, ends with an error after what there is of it", async () => {
    await withRecords(async (recordsOf) => {
      const records = recordsOf();
      const large = records.open("req_large", FACTS);
      large.add(1, encoder.encode("first,"));
      large.add(2, new Uint8Array(LIMITS.resumableBytes));
      large.add(3, encoder.encode("third,"));
      large.end();
      expect(await readAll(records, "req_large", -1)).toBe("first,id: 2\ndata: too large\n\n");
      const lost = records.open("req_lost", FACTS);
      lost.add(1, encoder.encode("first,"));
      lost.save();
      lost.add(2, encoder.encode("second,"));
      // The object's next life.
      expect(await readAll(recordsOf(), "req_lost", -1)).toBe("first,id: 2\ndata: interrupted\n\n");
      expect(await readAll(recordsOf(), "req_lost", 5)).toBe("id: 6\ndata: interrupted\n\n");
    });
  });

  test("is there for a day, and one that never began is not there at all", async () => {
    await withRecords(async (recordsOf, storage) => {
      const records = recordsOf();
      const record = records.open("req_a", FACTS);
      record.add(1, encoder.encode("x"));
      record.end();
      records.open("req_b", FACTS).drop();
      expect(records.read("req_b", -1)).toBeNull();
      const later = recordsOf(() => Date.now() + LIMITS.resumableRetentionMilliseconds + 1_000);
      expect(later.read("req_a", -1)).toBeNull();
      expect(records.pruneAt).toBeGreaterThan(Date.now() + LIMITS.resumableRetentionMilliseconds - 5_000);
      records.prune();
      expect(await readAll(records, "req_a", -1)).toBe("x");
      later.prune();
      expect(storage.sql.exec("SELECT count(*) AS rows FROM stream_part").one()["rows"]).toBe(0);
      expect(records.pruneAt).toBeNull();
    });
  });
});

describe("an object that dies in the middle of a stream", () => {
  async function begin(account: Account, path: string, body: object): Promise<string> {
    const response = await open(path, { key: account.key, body, headers: { "x-plyrum-resumable": "1" } });
    const reader = response.body?.getReader();
    await reader?.read();
    // What came is stored once a second.
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    await abortAllDurableObjects();
    return response.headers.get("x-plyrum-request-id") ?? "";
  }

  test("leaves what is known of it and an error to go on with, and one charge", async () => {
    const account = await newAccount(100_000_000);
    const messages = [{ role: "user", content: "Tell me of the sea, please." }];
    const id = await begin(account, "/v1/chat/completions", {
      model: "openai/gpt-5-mini@tokens=400,chunks=200,stall=80",
      stream: true,
      messages,
    });
    const whole = await send(`/v1/requests/${id}/stream`, { key: account.key });
    expect(whole.status).toBe(200);
    const events = whole.text.split("\n\n").filter((event) => event !== "");
    expect(events.length).toBeGreaterThan(70);
    expect(events.map((event) => /^id: (\d+)\n/.exec(event)?.[1])).toEqual(events.map((_, index) => String(index + 1)));
    expect(events.at(-1)).toContain('"error"');
    const rest = await send(`/v1/requests/${id}/stream`, { key: account.key, headers: { "last-event-id": "10" } });
    expect(rest.text).toBe(`${events.slice(10).join("\n\n")}\n\n`);
    expect(await endings(account.id)).toMatchObject([{ kind: "settle", request_id: id }]);
  });

  test("leaves an answer in the background that has failed, and says so to whoever asks", async () => {
    const account = await newAccount(100_000_000);
    const body = { model: "openai/gpt-5-mini@tokens=400,chunks=200,stall=80", background: true, input: "Tell me of the sea, please." };
    const begun = await send("/v1/responses", { key: account.key, body });
    const id = String(begun.json?.["id"]);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect((await send(`/v1/responses/${id}`, { key: account.key })).json).toMatchObject({ id, status: "in_progress" });
    await abortAllDurableObjects();
    const failed = await until("the answer failed", async () => {
      const { json } = await send(`/v1/responses/${id}`, { key: account.key });
      return json?.["status"] === "failed" ? json : null;
    });
    expect(failed).toMatchObject({ id, background: true, error: { code: "provider_error" } });
    const stream = await send(`/v1/responses/${id}?stream=true&starting_after=5`, { key: account.key });
    expect(stream.text).toMatch(/"sequence_number":6[,}]/);
    expect(stream.text).not.toMatch(/"sequence_number":5[,}]/);
    expect(stream.text).toContain("event: error");
    expect(await endings(account.id)).toHaveLength(1);
  });
});

/** `GET /v1/usage/export`: every row once, whatever the number, with no more in memory than a page; and text that no spreadsheet runs. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import worker from "../../workers/index.ts";
import { type Account, newAccount } from "./gateway.ts";

const ROWS = 50_000;
let account: Account;

beforeAll(async () => {
  account = await newAccount(0);
  // The rows as a consumer would have written them, made by SQL since nothing else is under test here.
  const statement = `INSERT INTO usage (account_id, seq, request_id, kind, key_id, protocol, upstream_protocol, model, provider, stream, state,
      input_tokens, output_tokens, usage_source, price_version, input_pico_usd, cache_read_pico_usd, cache_write_5m_pico_usd,
      cache_write_1h_pico_usd, output_pico_usd, request_pico_usd, fx_micro_rub_per_usd, markup_bps, provider_cost_pico_usd, cost_micro_rub,
      charged_micro_rub, duration_ms, evidence, at, day)
    WITH RECURSIVE n(i) AS (SELECT CAST(?2 AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i < CAST(?3 AS INTEGER))
    SELECT ?1, i, 'req_' || i, 'settle', 'key_export_1', 'openai-chat', 'openai-chat', 'alpha/one', 'alpha', 0, 'settled', 10, 20, 'provider', 'v',
      1, 1, 1, 1, 1, 0, 1, 0, 30, i, i, 5, 'offline', 1795239079271 + i, '2026-11-21' FROM n`;
  for (let from = 1; from <= ROWS; from += 10_000)
    await env.DB.prepare(statement)
      .bind(account.id, String(from), String(from + 9_999))
      .run();
});

interface Export {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  pagesRead: () => number;
}

/** The export of an account, on a database that counts its pages. */
async function open(query: string, { key }: Account): Promise<Export> {
  let pages = 0;
  const DB = {
    prepare: (sql: string) => env.DB.prepare(sql),
    batch: async (statements: D1PreparedStatement[]) => {
      pages += 1;
      return env.DB.batch(statements);
    },
  } as unknown as D1Database;
  const request = new Request<unknown, IncomingRequestCfProperties>(`http://gateway.test/v1/usage/export${query}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const response = await worker.fetch(request, { ...env, DB }, createExecutionContext());
  expect(response.status).toBe(200);
  if (response.body === null) throw new Error("no body");
  return { reader: response.body.getReader(), pagesRead: () => pages };
}

async function whole(query: string, of: Account): Promise<string> {
  const { reader } = await open(query, of);
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
}

describe(`an export of ${ROWS} rows`, () => {
  test("reads a page only when the reader took the one before, so that memory does not grow with the rows", async () => {
    const { reader, pagesRead } = await open("?format=csv", account);
    let taken = 0;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      taken += 1;
      // What is held: the chunk just taken, and the one that was made ready after it.
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(pagesRead()).toBeLessThanOrEqual(taken + 1);
      expect(value.byteLength).toBeLessThan(LIMITS.exportRowsPerPage * 400);
    }
    expect(pagesRead()).toBe(ROWS / LIMITS.exportRowsPerPage + 1);
  });

  test("gives every row once as CSV, the newest first", async () => {
    const [head, ...lines] = (await whole("?format=csv", account)).trimEnd().split("\n");
    expect(head).toMatch(/^seq,request_id,at,/);
    expect(lines).toHaveLength(ROWS);
    expect(lines.map((line) => Number(line.slice(0, line.indexOf(","))))).toEqual(Array.from({ length: ROWS }, (_, index) => ROWS - index));
  });

  test("gives the same sums as JSON lines", async () => {
    const lines = (await whole("?format=jsonl", account)).trimEnd().split("\n");
    const sum = lines.reduce((total, line) => total + Number(/"charged_micro_rub":(\d+)/.exec(line)?.[1]), 0);
    expect([lines.length, sum]).toEqual([ROWS, (ROWS * (ROWS + 1)) / 2]);
  });

  test("stops asking the database when the reader leaves", async () => {
    const { reader, pagesRead } = await open("?format=csv", account);
    await reader.read();
    await reader.cancel();
    const read = pagesRead();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(pagesRead()).toBe(read);
    expect(read).toBeLessThanOrEqual(2);
  });
});

describe("text in a CSV export", () => {
  const hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", 'a"b', "a,b", "a\nb", "plain", "'=1"];

  test("is quoted, and never begins as a formula", async () => {
    const other = await newAccount(0);
    const columns = `account_id, request_id, kind, key_id, protocol, upstream_protocol, model, provider, state, price_version, evidence, day, seq, stream,
      input_pico_usd, cache_read_pico_usd, cache_write_5m_pico_usd, cache_write_1h_pico_usd, output_pico_usd, request_pico_usd,
      fx_micro_rub_per_usd, markup_bps, charged_micro_rub, duration_ms, at, finish_reason`;
    for (const [index, text] of hostile.entries())
      await env.DB.prepare(
        `INSERT INTO usage (${columns}) VALUES (?1, 'req_' || ?2, 'settle', 'k', 'p', 'p', 'm', 'p', 'settled', 'v', 'offline', '2026-11-21',
          CAST(?2 AS INTEGER), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?3)`,
      )
        .bind(other.id, String(hostile.length - index), text)
        .run();
    const cells = parseCsv(await whole("?format=csv", other))
      .slice(1)
      .map((row) => row[21]);
    expect(cells).toEqual([
      "'=1+1",
      "'+1",
      "'-1",
      "'@SUM(A1)",
      "'\t=1",
      "'\r=1",
      "'\n=1",
      "'\uff1d1",
      'a"b',
      "a,b",
      "a\nb",
      "plain",
      "'=1",
    ]);
  });

  /** RFC 4180, read a character at a time. */
  function parseCsv(text: string): string[][] {
    const table: string[][] = [[]];
    let cell = "";
    let quoted = false;
    for (let index = 0; index < text.length; index++) {
      const character = text[index] ?? "";
      if (quoted && character === '"' && text[index + 1] === '"') cell += text[index++];
      else if (character === '"') quoted = !quoted;
      else if (!quoted && (character === "," || character === "\n")) {
        table.at(-1)?.push(cell);
        cell = "";
        if (character === "\n") table.push([]);
      } else cell += character;
    }
    return table.filter((row) => row.length > 0);
  }
});

/** A hostile client of a running system: what it posts, byte for byte where that matters, and what must hold afterwards. */
import { connect } from "node:net";
import { z } from "zod";
import { type Account, type Stage, startStage } from "./shared-system.ts";

export const SEED = Number(process.env["PLYRUM_SEED"] ?? 20261121);
/** `npm run hostile` takes far more. */
export const MUTATIONS_PER_PROTOCOL = Number(process.env["PLYRUM_MUTATIONS"] ?? 120);
const AT_ONCE = 8;
/** An answer that takes longer hangs. */
const ANSWER_MILLISECONDS = 15_000;
const CREDIT = 50_000_000_000;

/** One of each wire format, so that a body is rendered in all of them. */
export const MODELS = [
  "openai/gpt-5-mini",
  "anthropic/claude-sonnet-4-5",
  "gemini/gemini-2.5-flash",
  "bedrock/amazon.nova-lite-v1:0",
  "ollama/llama3.2",
];
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

export interface Target {
  stage: Stage;
  account: Account;
  post: (path: string, body: string | Uint8Array<ArrayBuffer>, headers?: Record<string, string>) => Promise<Answer>;
  /** A call written to the socket byte by byte, so that no client of ours makes it proper first. */
  rawPost: (path: string, body: string, headerLines?: readonly string[]) => Promise<{ status: number; text: string }>;
  /** What is wrong with the money: something held, a balance that is not the sum of the ledger, or one of these requests in it. */
  moneyFaults: (refused?: ReadonlySet<string>) => Promise<string[]>;
}

/** A system with one rich account. */
export async function openTarget(): Promise<Target> {
  const stage = await startStage();
  const account = await stage.account(CREDIT);
  return {
    stage,
    account,
    post: (path, body, headers = {}) => post(stage, account, { path, body, headers }),
    rawPost: (path, body, headerLines = []) => rawPost(stage, account, { path, body, headerLines }),
    moneyFaults: (refused = new Set()) => moneyFaults(stage, account, refused),
  };
}

/** A test's name is no place for ten thousand letters. */
export const labelled = (texts: readonly string[]): (readonly [string, string])[] => texts.map((text) => [text.slice(0, 40), text]);

export const chat = (model: string, fields: object = {}): string =>
  JSON.stringify({ model, max_tokens: 5, messages: [{ role: "user", content: "hi" }], ...fields });

async function post(
  stage: Stage,
  account: Account,
  { path, body, headers }: { path: string; body: string | Uint8Array<ArrayBuffer>; headers: Record<string, string> },
): Promise<Answer> {
  const response = await fetch(stage.system.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json", ...headers },
    body,
    signal: AbortSignal.timeout(ANSWER_MILLISECONDS),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function rawPost(
  stage: Stage,
  account: Account,
  { path, body, headerLines }: { path: string; body: string; headerLines: readonly string[] },
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(stage.system.url);
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${account.key}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    ...headerLines,
  ];
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    const parts: Buffer[] = [];
    socket.setTimeout(ANSWER_MILLISECONDS, () => socket.destroy(new Error(`no answer to ${path.slice(0, 100)}`)));
    socket.on("data", (bytes: Buffer) => parts.push(bytes));
    socket.on("error", reject);
    socket.on("close", () => {
      const text = Buffer.concat(parts).toString("utf8");
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text });
    });
    socket.end(Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`, "latin1"));
  });
}

/** Runs all of them, some at once; gives what was wrong. */
export async function inParallel<T>(items: readonly T[], work: (item: T, index: number) => Promise<string[]>): Promise<string[]> {
  const faults: string[] = [];
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) faults.push(...(await work(item, index)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return faults;
}

const ledgerSchema = z.object({
  entries: z.array(z.looseObject({ seq: z.number(), kind: z.string(), request_id: z.string().nullable(), amount_micro_rub: z.number() })),
});

async function ledgerEntries(stage: Stage, account: Account) {
  const entries: z.infer<typeof ledgerSchema>["entries"] = [];
  for (;;) {
    const page = await stage.admin(`/accounts/${account.id}/ledger?limit=500&after_seq=${entries.at(-1)?.seq ?? 0}`, { method: "GET" });
    const next = ledgerSchema.parse(page).entries;
    if (next.length === 0) return entries;
    entries.push(...next);
  }
}

async function moneyFaults(stage: Stage, account: Account, refused: ReadonlySet<string>): Promise<string[]> {
  await account.atRest();
  const entries = await ledgerEntries(stage, account);
  const { balance_micro_rub: balance, held_micro_rub: held } = await account.balance();
  const sum = entries.reduce((total, entry) => total + entry.amount_micro_rub, 0);
  return [
    ...(held === 0 ? [] : [`${held} held`]),
    ...(balance === sum && balance <= CREDIT ? [] : [`a balance of ${balance}, and ${sum} in the ledger`]),
    ...entries
      .filter((entry) => refused.has(entry.request_id ?? ""))
      .map((entry) => `${entry.request_id} was refused, and has a ${entry.kind}`),
  ];
}

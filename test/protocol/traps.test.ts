/**
 * Every trap of the wires (traps.json of the recordings): each named, and tested on bodies of our own that show it and on every recorded
 * body that is known to. That a body shows its trap is checked on its raw documents first, so that no test passes on nothing.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import { recordings, recordingsFolder } from "./recordings.ts";
import { ANTHROPIC_MESSAGES_TRAPS } from "./traps/anthropic-messages.ts";
import { BEDROCK_CONVERSE_TRAPS } from "./traps/bedrock-converse.ts";
import { GEMINI_TRAPS } from "./traps/gemini.ts";
import { OLLAMA_CHAT_TRAPS } from "./traps/ollama-chat.ts";
import { OPENAI_CHAT_TOOL_TRAPS } from "./traps/openai-chat-tools.ts";
import { OPENAI_CHAT_TRAPS } from "./traps/openai-chat.ts";
import { OPENAI_RESPONSES_TRAPS } from "./traps/openai-responses.ts";
import { REQUEST_TRAPS } from "./traps/requests.ts";
import { expectFailure, openAnswer, type Trap, type TrapAnswer } from "./traps/trap.ts";

const TRAPS: readonly (readonly [ProtocolId, readonly Trap[]])[] = [
  ["openai-chat", [...OPENAI_CHAT_TRAPS, ...OPENAI_CHAT_TOOL_TRAPS]],
  ["openai-responses", OPENAI_RESPONSES_TRAPS],
  ["anthropic-messages", ANTHROPIC_MESSAGES_TRAPS],
  ["gemini", GEMINI_TRAPS],
  ["bedrock-converse", BEDROCK_CONVERSE_TRAPS],
  ["ollama-chat", OLLAMA_CHAT_TRAPS],
];

function linesOf(name: string): string {
  return recordingsFolder === null ? "" : readFileSync(join(recordingsFolder, name), "utf8");
}

const listed: { protocol: string; trap: string; files: string[] }[] = recordingsFolder === null ? [] : JSON.parse(linesOf("traps.json"));
const indexed: { file: string; protocol: string; features: string[]; request_file: string | null }[] = linesOf("index.jsonl")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line));

/** Recorded bodies that hold a trap for certain: those of its list. */
function listedWith(protocol: ProtocolId, trap: string): string[] {
  return listed.filter((row) => row.protocol === protocol && row.trap === trap).flatMap((row) => row.files);
}

function opened(name: string, provider?: string): TrapAnswer {
  const recording = recordings.find((one) => one.name === name);
  if (recording === undefined) throw new Error(`no body ${name}`);
  return openAnswer({ ...recording, provider: provider ?? recording.provider });
}

/**
 * Recorded bodies that the index marks with a trap by a rougher rule: those that really show it. (A file may hold a second answer, which
 * is no part of the stream, and a finish of each of several choices is not a second finish.)
 */
function markedWith(protocol: ProtocolId, trap: Trap): string[] {
  const certain = listedWith(protocol, trap.name);
  return indexed
    .filter((row) => row.protocol === protocol && row.features.includes(`trap:${trap.name}`) && !certain.includes(row.file))
    .map((row) => row.file)
    .filter((file) => trap.shows(opened(file)));
}

/** An answer that fails on the wire fails for every caller, whatever trap it holds beside. */
function expectTrap(trap: Trap, answer: TrapAnswer): void {
  if (answer.failed) expectFailure(answer);
  if (answer.failed === (trap.isFailure ?? false)) trap.check(answer);
}

const counts = { traps: 0, own: 0, recorded: 0 };

describe.each(TRAPS)("%s", (protocol, traps) => {
  describe.each(traps)("$name: $says", (trap) => {
    counts.traps += 1;
    test.each(trap.own)("on our own %s", (name) => {
      const answer = opened(`${protocol}/${name}`, trap.provider);
      expect(trap.shows(answer), "the body shows the trap").toBe(true);
      expectTrap(trap, answer);
      counts.own += 1;
    });

    const files = [...listedWith(protocol, trap.name), ...markedWith(protocol, trap)];
    if (files.length === 0) return;
    test.each(files)("on %s", (file) => {
      const answer = opened(file);
      expect(trap.shows(answer), "the body shows the trap").toBe(true);
      expectTrap(trap, answer);
      counts.recorded += 1;
    });
  });
});

describe.each(REQUEST_TRAPS)("$protocol", (trap) => {
  describe(`${trap.name}: ${trap.says}`, () => {
    counts.traps += 1;
    test("on a request of our own", () => {
      expect(trap.shows(trap.own), "the request shows the trap").toBe(true);
      trap.check(JSON.stringify(trap.own));
      counts.own += 1;
    });

    const files = listedWith(trap.protocol, trap.name);
    if (files.length === 0) return;
    test.each(files)("on the request of %s", (file) => {
      const request = indexed.find((row) => row.file === file)?.request_file ?? null;
      if (request === null) throw new Error(`no request of ${file}`);
      const text = linesOf(request);
      expect(trap.shows(JSON.parse(text)), "the request shows the trap").toBe(true);
      trap.check(text);
      counts.recorded += 1;
    });
  });
});

test("every trap of the recordings has a test, and every test a trap of that name", () => {
  const tested = [
    ...TRAPS.flatMap(([protocol, traps]) => traps.map(({ name }) => `${protocol}: ${name}`)),
    ...REQUEST_TRAPS.map(({ protocol, name }) => `${protocol}: ${name}`),
  ].toSorted();
  expect(new Set(tested).size).toBe(74);
  expect(tested).toHaveLength(74);
  if (recordingsFolder !== null) expect(tested).toEqual(listed.map(({ protocol, trap }) => `${protocol}: ${trap}`).toSorted());
});

test("every trap has a body of our own", () => {
  for (const [protocol, traps] of TRAPS) for (const trap of traps) expect(trap.own.length, `${protocol}: ${trap.name}`).toBeGreaterThan(0);
});

afterAll(() => {
  const where = recordingsFolder ?? "no recordings beside the repository; our own bodies only";
  console.log(`traps: ${counts.traps}, on ${counts.own} bodies of our own and ${counts.recorded} recorded ones (${where})`);
});

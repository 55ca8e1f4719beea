/** What a Responses call rests on beside its body, and what an answer of that wire comes to: read out of text, put into text, nothing printed again. */
import { describe, expect, test } from "vitest";
import { createAnswerCollector, createAnswerRenamer } from "../../workers/protocol/openai-responses/answer-collector.ts";
import {
  inForeground,
  inputItems,
  itemsToKeep,
  stateReferences,
  withNamedItems,
  withoutForeignItems,
  withWholeInput,
} from "../../workers/protocol/openai-responses/stored-state.ts";
import { body, bodyNames, cut } from "./bodies.ts";
import { seededPlaces } from "./recordings.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

describe("what a call rests on", () => {
  test("is an earlier answer, references, and reasoning that is nothing but its id", () => {
    const input = [
      { role: "user", content: "x" },
      { type: "item_reference", id: "msg_1" },
      { id: "fc_1" },
      { type: "reasoning", id: "rs_1", summary: [] },
      { type: "reasoning", id: "rs_2", summary: [], encrypted_content: "e" },
      { type: "reasoning", id: "rs_3", summary: [{ type: "summary_text", text: "said" }] },
      { type: "message", id: "msg_2", role: "assistant", content: "y" },
      { type: "reasoning", id: "rs_ply_1", summary: [] },
    ];
    expect(stateReferences(JSON.stringify({ previous_response_id: "resp_1", input }))).toMatchObject({
      previous: "resp_1",
      conversation: false,
      items: [
        { index: 1, id: "msg_1", brought: false },
        { index: 2, id: "fc_1", brought: false },
        { index: 3, id: "rs_1", brought: false },
        { index: 5, id: "rs_3", brought: true },
      ],
      stores: true,
      background: false,
    });
    expect(stateReferences('{"input":"x","store":false,"conversation":{"id":"c"},"background":true}')).toMatchObject({
      stores: false,
      conversation: true,
      background: true,
    });
  });

  test("is not read from an item that another reader could take for another", () => {
    const reference = '{"type":"item_reference","id":"msg_1","type":"message","role":"user","content":"x"}';
    expect(stateReferences(`{"input":[{"role":"user","content":"x"},${reference}]}`).twofold).toBe(1);
    expect(stateReferences('{"input":[{"id":"a","\\u0069d":"b","type":"message"}]}').twofold).toBe(0);
    expect(stateReferences('{"input":[{"id":"a","content":[{"id":"b"}]},7]}').twofold).toBeNull();
  });

  test("is nothing where the body cannot be read", () => {
    for (const text of ["", "[]", '{"input":', "7"])
      expect(stateReferences(text)).toMatchObject({ previous: null, items: [], stores: false });
  });

  test("goes into the body as the text it was kept as", () => {
    const text = '{ "model": "m", "previous_response_id": "resp_1", "n": 1.0, "input": [{"id":"a"}, {"n":9007199254740993}] }';
    const own = withNamedItems(inputItems(text), new Map([[0, '{"type":"message","big":1.0}']]));
    expect(withWholeInput(text, ['{"h":1e2}', ...own])).toBe(
      '{ "model": "m", "n": 1.0, "input": [{"h":1e2},{"type":"message","big":1.0},{"n":9007199254740993}] }',
    );
    expect(inputItems('{"input":"say \\"hi\\""}')).toEqual([
      '{"type":"message","role":"user","content":[{"type":"input_text","text":"say \\"hi\\""}]}',
    ]);
    expect([inputItems('{"input":null}'), inputItems("{}"), inputItems('{"input":[]}')]).toEqual([[], [], []]);
  });

  test("is kept with an id for each item", () => {
    const kept = itemsToKeep(
      ['{"role":"user","content":"x"}', '{"type":"function_call_output","call_id":"c","output":"1.0"}', '{"id":"own"}'],
      "resp_9",
    );
    expect(kept).toEqual([
      '{"role":"user","content":"x","type":"message","id":"msg_ply_resp9in_0"}',
      '{"type":"function_call_output","call_id":"c","output":"1.0","id":"msg_ply_resp9in_1"}',
      '{"id":"own"}',
    ]);
  });

  test("names no provider's items to another", () => {
    const text = '{"input":[{"type":"reasoning","id":"rs_1"},{"type":"message","id":"msg_1","n":1.0},{"type":"message","id":"msg_2"}]}';
    const origins = new Map([
      ["rs_1", "alpha"],
      ["msg_1", "alpha"],
      ["msg_2", "beta"],
    ]);
    expect(withoutForeignItems(text, origins, "beta")).toBe('{"input":[{"type":"message","n":1.0},{"type":"message","id":"msg_2"}]}');
    expect(withoutForeignItems(text, new Map([["rs_1", "alpha"]]), "alpha")).toBe(text);
  });

  test("a call in the background goes on as a stream in the foreground", () => {
    expect(inForeground('{"background":true, "model":"m"}')).toBe('{"model":"m","stream":true}');
    expect(inForeground('{"stream":false,"background":true}')).toBe('{"stream":true}');
  });
});

describe("what an answer comes to", () => {
  test.each(bodyNames("openai-responses", ".sse"))("is the same however %s was cut", (name) => {
    const bytes = body("openai-responses", name);
    const read = (places: number[]): unknown => {
      const collector = createAnswerCollector(1_000_000);
      for (const piece of cut(bytes, places)) collector.see(piece);
      return [collector.response(), collector.items()];
    };
    const whole = read([]);
    for (let seed = 1; seed <= 10; seed++) expect(read(seededPlaces(seed, 9, bytes.length))).toEqual(whole);
  });

  test("has its items also where the terminal event repeats none", () => {
    const item = '{"type":"message","n":1.0}';
    const collector = createAnswerCollector(1_000);
    collector.see(encoder.encode(`data: {"type":"response.output_item.done","output_index":0,"item":${item}}\n\n`));
    expect([collector.response(), collector.items()]).toEqual([null, [item]]);
    collector.see(encoder.encode('data: {"type":"response.completed","response":{"id":"r","output":[]}}\n\n'));
    expect(collector.response()).toBe(`{"id":"r","output":[${item}]}`);
  });

  test("is not remembered beyond a bound, and text that only looks like an end is none", () => {
    const collector = createAnswerCollector(100);
    collector.see(encoder.encode(`data: {"type":"response.output_text.delta","delta":"\\"response.completed\\""}\n\n`));
    expect(collector.response()).toBeNull();
    collector.see(encoder.encode(`data: {"type":"response.completed","response":{"id":"${"x".repeat(200)}"}}\n\n`));
    expect(collector.response()).toBeNull();
  });

  test("goes under another id where it is told, and nowhere else", () => {
    const events = (first: string, last: string): string =>
      [
        `event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":${first}}\n\n`,
        'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"{\\"response\\":{\\"id\\":1}}"}\n\n',
        `data: {"type":"response.completed","response":${last}}\n\n`,
      ].join("");
    const renamer = createAnswerRenamer("resp_ours");
    const given = encoder.encode(events('{"id":"resp_theirs","background":false,"n":1.0}', '{"id":"resp_theirs","n":1.0}'));
    const out = [...renamer.push(given), ...renamer.end()].map((bytes) => decoder.decode(bytes)).join("");
    expect(out).toBe(events('{"id":"resp_ours","background":true,"n":1.0}', '{"id":"resp_ours","n":1.0,"background":true}'));
  });
});

/** The playground: one column a model, each with its own streamed answer, its tokens, time and cost. */
import { written } from "./chart-look.ts";
import { FORMATS, type Heard, type Question } from "./formats.ts";
import { pageData, parseObject } from "./read-json.ts";
import { frames } from "./sse.ts";

const COLUMNS_MAX = 4;

const data = pageData("playground-data");
const words: unknown = data["words"];
const word = (name: string): string => String(typeof words === "object" && words !== null ? Reflect.get(words, name) : name);

function element<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function valueOf(id: string): string {
  const field = document.getElementById(id);
  return field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement ? field.value : "";
}

interface Column {
  box: HTMLElement;
  model: HTMLInputElement;
  thought: HTMLElement;
  answer: HTMLElement;
  facts: HTMLElement;
}

const columns: Column[] = [];
const place = document.getElementById("playground-columns");

function addColumn(name: string): void {
  if (columns.length >= COLUMNS_MAX) return;
  const box = element("section", "card");
  const head = element("div", "row");
  const model = element("input", "model-name");
  model.value = name;
  model.setAttribute("list", "playground-models");
  model.setAttribute("aria-label", `${word("models")} ${columns.length + 1}`);
  const remove = element("button", "small", word("remove"));
  remove.type = "button";
  const thought = element("p", "hint answer");
  const answer = element("div", "answer");
  answer.setAttribute("aria-live", "polite");
  const facts = element("p", "hint facts-line");
  head.append(model, remove);
  box.append(head, thought, answer, facts);
  const column = { box, model, thought, answer, facts };
  remove.addEventListener("click", () => {
    columns.splice(columns.indexOf(column), 1);
    box.remove();
  });
  columns.push(column);
  place?.append(box);
}

let stopping: AbortController | null = null;

interface Progress {
  startedAt: number;
  firstAt: number | null;
  outputTokens: number | null;
  costMicroRub: number | null;
  requestId: string | null;
}

function showFacts(column: Column, progress: Progress): void {
  const parts = [
    ...(progress.firstAt === null ? [] : [`${word("firstToken")} ${written(progress.firstAt - progress.startedAt, "milliseconds")}`]),
    ...(progress.outputTokens === null ? [] : [`${written(progress.outputTokens, "count")} ${word("tokens")}`]),
    ...(progress.costMicroRub === null ? [] : [written(progress.costMicroRub, "money")]),
  ];
  column.facts.textContent = parts.join(" · ");
  if (progress.requestId === null) return;
  const link = element("a", "", word("open"));
  link.href = `${String(data["requests"])}/${encodeURIComponent(progress.requestId)}`;
  column.facts.append(parts.length > 0 ? " · " : "", link);
}

function take(column: Column, progress: Progress, said: Heard): void {
  if (said.error !== undefined) throw new Error(said.error);
  if ((said.text ?? said.thought) !== undefined) progress.firstAt ??= performance.now();
  if (said.thought !== undefined) column.thought.textContent += said.thought;
  if (said.text !== undefined) column.answer.append(said.text);
  progress.outputTokens = said.outputTokens ?? progress.outputTokens;
  progress.costMicroRub = said.costMicroRub ?? progress.costMicroRub;
  showFacts(column, progress);
}

async function ask(column: Column, question: Question, signal: AbortSignal): Promise<void> {
  const format = valueOf("playground-format");
  const speaks = FORMATS[format];
  if (speaks === undefined) return;
  const progress: Progress = { startedAt: performance.now(), firstAt: null, outputTokens: null, costMicroRub: null, requestId: null };
  column.box.classList.remove("failed");
  column.thought.textContent = "";
  column.answer.textContent = "";
  column.facts.textContent = word("waiting");
  const token = document.querySelector<HTMLMetaElement>("meta[name=form-token]")?.content ?? "";
  const response = await fetch(`${String(data["action"])}/${format}?model=${encodeURIComponent(question.model)}`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", "x-csrf-token": token },
    body: JSON.stringify(speaks.body(question)),
    signal,
  });
  progress.requestId = response.headers.get("x-plyrum-request-id");
  if (!response.ok || response.body === null) {
    const refused = parseObject(await response.text());
    showFacts(column, progress);
    throw new Error(speaks.hear(refused).error ?? word("failed"));
  }
  for await (const frame of frames(response.body)) take(column, progress, speaks.hear(frame));
  showFacts(column, progress);
}

async function askAll(): Promise<void> {
  const stop = document.getElementById("playground-stop");
  stopping = new AbortController();
  if (stop instanceof HTMLButtonElement) stop.disabled = false;
  const { signal } = stopping;
  const asked = columns.map(async (column) => {
    const cap = Number(valueOf("playground-cap")) || 500;
    const question = {
      model: column.model.value.trim(),
      message: valueOf("playground-message"),
      system: valueOf("playground-system"),
      cap,
    };
    try {
      await ask(column, question, signal);
    } catch (error) {
      if (signal.aborted) return;
      column.box.classList.add("failed");
      column.answer.append(element("p", "notice bad", error instanceof Error ? error.message : word("failed")));
    }
  });
  await Promise.all(asked);
  if (stop instanceof HTMLButtonElement) stop.disabled = true;
}

const first: unknown = data["models"];
for (const model of Array.isArray(first) ? first : []) addColumn(String(model));
document.getElementById("playground-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  void askAll();
});
document.getElementById("playground-message")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void askAll();
});
document.getElementById("playground-add")?.addEventListener("click", () => addColumn(columns.at(-1)?.model.value ?? ""));
document.getElementById("playground-stop")?.addEventListener("click", () => stopping?.abort());

/** Keeps balances and the list of requests up to date from one stream of events, which is opened again whenever it ends, and closed while nobody looks. */
import { exactMoney, kopecks, time } from "./chart-look.ts";
import { type Json, pageData, parseObject } from "./read-json.ts";

interface Row {
  id: string;
  model: string;
  state: string;
  startedAt: number;
  tokens: string;
  took: number | null;
  cost: string;
}

const STORED_MILLISECONDS = 2_000;
const AWAY_MILLISECONDS = 5_000;
const KINDS: Record<string, string> = { recorded: "good", failed: "bad", expired: "bad", cancelled: "warn" };

const data = pageData("live-data");
const words = objectIn(data, "words");
const states = objectIn(data, "states");
const mark = document.querySelector<HTMLElement>("[data-live-mark]");
/** The server's clock against ours, when the page was made. */
const clockAhead = Number(data["now"]) - Date.now();
const whole = new Intl.NumberFormat(document.documentElement.lang);
const running = new Map<string, number>();

function objectIn(of: Json, name: string): Json {
  const value = of[name];
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function listIn(of: Json, name: string): Json[] {
  const value = of[name];
  return Array.isArray(value) ? value.map((each: unknown) => objectIn({ each }, "each")) : [];
}

function said(name: string, amount: string): string {
  return String(words[name] ?? "{amount}").replace("{amount}", amount);
}

function put(selector: string, text: string, within: ParentNode = document): void {
  for (const element of within.querySelectorAll(selector)) if (element.textContent !== text) element.textContent = text;
}

function showMoney(money: Json): void {
  const held = String(money["held_micro_rub"]);
  put('[data-live="available"]', kopecks(String(money["available_micro_rub"])));
  put('[data-live="balance"]', exactMoney(String(money["balance_micro_rub"])));
  put('[data-live="held"]', exactMoney(held));
  put('[data-live="note"]', held === "0" ? String(words["nothingHeld"]) : said("heldNote", exactMoney(held)));
}

function count(value: unknown): string {
  return typeof value === "number" ? whole.format(value) : "?";
}

function runningRow(of: Json): Row {
  const [tokens, cost] = [of["output_tokens"], of["cost_micro_rub"]];
  const held = said("held", exactMoney(String(of["hold_micro_rub"])));
  return {
    id: String(of["id"]),
    model: String(of["model"]),
    state: String(of["state"]),
    startedAt: Number(of["started_at"]),
    tokens: typeof tokens === "number" ? `– / ${whole.format(tokens)}` : "–",
    took: null,
    cost: typeof cost === "string" ? `${said("soFar", exactMoney(cost))}, ${held}` : held,
  };
}

function endedRow(of: Json): Row {
  return {
    id: String(of["id"]),
    model: String(of["model"]),
    state: of["state"] === "settled" ? "recorded" : String(of["state"]),
    startedAt: Number(of["started_at"]),
    tokens: `${count(of["input_tokens"])} / ${count(of["output_tokens"])}`,
    took: Number(of["duration_ms"]),
    cost: exactMoney(String(of["charged_micro_rub"])),
  };
}

function rowElement(row: Row): HTMLElement | null {
  const known = document.querySelector<HTMLElement>(`tr[data-request="${CSS.escape(row.id)}"]`);
  if (known !== null) return known;
  const list = document.querySelector<HTMLElement>('[data-live-list="all"]');
  const made = document.querySelector<HTMLTemplateElement>("#request-row")?.content.querySelector("tr")?.cloneNode(true);
  if (list === null || !(made instanceof HTMLElement)) return null;
  const body = list.querySelector("tbody");
  if (body === null) {
    // The first request of all: the page says how to make one, and is another page from now on. D1 has an ended one a moment later.
    if (row.took === null) location.reload();
    else setTimeout(() => location.reload(), STORED_MILLISECONDS);
    return null;
  }
  made.dataset["request"] = row.id;
  const link = made.querySelector("a");
  if (link !== null) link.href = `${String(data["requests"])}/${encodeURIComponent(row.id)}`;
  const after = [...body.querySelectorAll<HTMLElement>("tr[data-at]")].find((each) => Number(each.dataset["at"]) <= row.startedAt);
  made.dataset["at"] = String(row.startedAt);
  put(
    "time",
    new Intl.DateTimeFormat(document.documentElement.lang === "ru" ? "ru-RU" : "en-GB", {
      timeZone: String(data["zone"]),
      day: "2-digit",
      month: "short",
      hour: "2-digit",
      minute: "2-digit",
    }).format(row.startedAt),
    made,
  );
  body.insertBefore(made, after ?? null);
  return made;
}

function showRow(row: Row): void {
  const element = rowElement(row);
  if (element === null) return;
  put('[data-cell="model"]', row.model, element);
  put('[data-cell="tokens"]', row.tokens, element);
  put('[data-cell="cost"]', row.cost, element);
  if (row.took !== null) put('[data-cell="took"]', time(row.took), element);
  const badge = element.querySelector<HTMLElement>('[data-cell="state"] .badge');
  if (badge === null) return;
  badge.className = `badge ${row.took === null ? "live" : (KINDS[row.state] ?? "")}`;
  put(".badge", String(states[row.state] ?? row.state), element);
}

function showRequests(requests: Json): void {
  const [underWay, ended] = [listIn(requests, "running").map(runningRow), listIn(requests, "ended").map(endedRow)];
  if (ended.some(({ id }) => id === data["request"])) location.reload();
  const over = new Set(running.keys());
  running.clear();
  for (const row of underWay.toReversed()) {
    running.set(row.id, row.startedAt);
    over.delete(row.id);
    showRow(row);
  }
  // One that ended a moment before the page was made may not be in D1 yet; what is older than the list belongs to another page of it.
  const times = [...document.querySelectorAll<HTMLElement>("tr[data-at]")].map((element) => Number(element.dataset["at"]));
  const oldest = Math.min(...times);
  for (const row of ended) if (over.has(row.id) || times.length === 0 || row.startedAt >= oldest) showRow(row);
}

function tick(): void {
  for (const [id, startedAt] of running) {
    const element = document.querySelector(`tr[data-request="${CSS.escape(id)}"]`);
    if (element !== null) put('[data-cell="took"]', time(Math.max(0, Date.now() + clockAhead - startedAt)), element);
  }
}

let source: EventSource | null = null;

function say(isLive: boolean): void {
  if (mark === null) return;
  mark.hidden = false;
  mark.classList.toggle("live", isLive);
  mark.classList.toggle("warn", !isLive);
  put("[data-live-mark]", String(words[isLive ? "live" : "away"]));
}

function open(): void {
  if (source !== null || document.hidden) return;
  source = new EventSource(String(data["path"]));
  source.addEventListener("state", (event) => {
    say(true);
    const state = parseObject(String(event.data));
    if (state["money"] !== null) showMoney(objectIn(state, "money"));
    if (state["requests"] !== null) showRequests(objectIn(state, "requests"));
  });
  source.addEventListener("error", () => {
    // A stream that ended in order is opened again at once, and nobody needs to hear of it.
    const failed = source;
    setTimeout(() => {
      if (source === failed && failed?.readyState !== EventSource.OPEN) say(false);
      if (source !== failed || failed?.readyState !== EventSource.CLOSED) return;
      source = null;
      open();
    }, AWAY_MILLISECONDS);
  });
}

function close(): void {
  source?.close();
  source = null;
}

if (typeof data["path"] === "string") {
  open();
  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
}

/** The states of a request in words and colours; the words of states that only the gateway's own log has stay as they are. */
import type { View } from "./view.ts";
import { bilingual } from "./words.ts";

const words = bilingual({
  en: {
    received: "received",
    held: "held",
    dispatched: "under way",
    streaming: "streaming",
    finished: "finished",
    settled: "settled",
    recorded: "done",
    released: "released",
    failed: "failed",
    cancelled: "cancelled",
    expired: "expired",
  },
  ru: {
    received: "принят",
    held: "удержание",
    dispatched: "идёт",
    streaming: "поток",
    finished: "завершён",
    settled: "рассчитан",
    recorded: "готово",
    released: "возврат",
    failed: "ошибка",
    cancelled: "отменён",
    expired: "истёк",
  },
});

type State = keyof ReturnType<typeof words>;

function isState(text: string): text is State {
  return text in words("en");
}

export function stateText(view: View, state: string): string {
  return isState(state) ? words(view.locale)[state] : state;
}

const KINDS: Readonly<Record<string, string>> = {
  recorded: "good",
  settled: "good",
  failed: "bad",
  expired: "bad",
  cancelled: "warn",
  dispatched: "live",
  streaming: "live",
  held: "live",
};

export function StateBadge({ view, state }: { view: View; state: string }) {
  return <span class={`badge ${KINDS[state] ?? ""}`}>{stateText(view, state)}</span>;
}

/** What keeps a page up to date while it is open: the account's own object tells the page's script of every change (islands/live.ts). */
import { Data } from "./parts.tsx";
import { stateText } from "./states.tsx";
import type { OrganisationView } from "./view.ts";
import { bilingual } from "./words.ts";

const words = bilingual({
  en: {
    live: "live",
    away: "reconnecting",
    held: "{amount} held",
    heldNote: "{amount} held for requests under way",
    nothingHeld: "nothing is held",
    soFar: "{amount} so far",
  },
  ru: {
    live: "вживую",
    away: "переподключение",
    held: "удержано {amount}",
    heldNote: "{amount} удержано под текущие запросы",
    nothingHeld: "ничего не удержано",
    soFar: "пока {amount}",
  },
});

const STATES = ["received", "held", "dispatched", "streaming", "finished", "settled", "recorded", "failed", "cancelled", "expired"];

/** Says that the page is live, once it is; brings the script's words and address along. `request`: the page is loaded anew when this one ends. */
export function Live({ view, request }: { view: OrganisationView; request?: string }) {
  const text = words(view.locale);
  const states = Object.fromEntries(STATES.map((state) => [state, stateText(view, state)]));
  const data = {
    path: view.href("/live"),
    requests: view.href("/requests"),
    now: Date.now(),
    zone: view.timeZone,
    request,
    words: text,
    states,
  };
  return (
    <>
      <span class="badge live" role="status" data-live-mark hidden>
        {text.live}
      </span>
      <Data id="live-data" value={data} />
    </>
  );
}

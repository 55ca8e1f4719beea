/** `GET /app/:organisation/live`: the account's money and its requests under way, as they change, from the account's own object. */
import { refuse } from "../frame/refusals.tsx";
import type { OrganisationView, Page } from "../frame/view.ts";

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store, no-transform" };

/** Ends by itself after a while, and the browser asks again: so a role that was taken away ends the view with it. */
async function live(view: OrganisationView): Promise<Response> {
  const stream = await view.account.live({ money: view.may("balance.view"), requests: view.may("requests.view") });
  return stream === null ? refuse(view, "tooMany") : new Response(stream, { headers: HEADERS });
}

export const livePages: Page = {
  routes: [{ for: "organisation", method: "GET", path: "/live", may: "overview", answer: live }],
};

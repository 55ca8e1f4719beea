/** The links printed at start: one signs the demo owner in, one makes the first owner of an installation that has none. */
import { z } from "zod";

const madeSchema = z.object({ url: z.string() });

/** Null where there is none to make: no demo account, or an owner already. */
async function makeLink(system: { url: string; adminKey: string }, purpose: "demo" | "first-owner"): Promise<string | null> {
  const response = await fetch(`${system.url}/admin/sign-in-links`, {
    method: "POST",
    headers: { authorization: `Bearer ${system.adminKey}`, "content-type": "application/json" },
    body: JSON.stringify({ purpose }),
  });
  const body: unknown = await response.json();
  return response.ok ? madeSchema.parse(body).url : null;
}

export async function signInLinks(system: { url: string; adminKey: string }): Promise<{ demo: string | null; firstOwner: string | null }> {
  return { demo: await makeLink(system, "demo"), firstOwner: await makeLink(system, "first-owner") };
}

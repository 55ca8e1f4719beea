/** Pages that say no, each with what to do about it. */
import { render } from "./layout.tsx";
import type { View } from "./view.ts";
import { common } from "./words.ts";

type Refusal = "notFound" | "forged" | "failed" | "tooMany";
const STATUS: Readonly<Record<Refusal, number>> = { notFound: 404, forged: 403, failed: 500, tooMany: 429 };

/** Asked by a script, a refusal is a short JSON. */
export function refuse(view: View, refusal: Refusal): Response | Promise<Response> {
  const words = common(view.locale);
  const [title, why] = [words[refusal], words[`${refusal}Why`]];
  const status = STATUS[refusal];
  const wantsPage = (view.request.headers.get("accept") ?? "text/html").includes("text/html");
  if (!wantsPage) return Response.json({ error: { code: refusal, message: `${title}. ${why}` } }, { status });
  return render(
    { ...view, organisation: null },
    { title, status },
    <div class="refusal">
      <h1>{title}</h1>
      <p>{why}</p>
      <p>
        <a class="button" href={view.person === null ? "/sign-in" : "/app"}>
          {common(view.locale).back}
        </a>
      </p>
    </div>,
  );
}

/**
 * Puts the pages' routes in place. Whatever a page asks for is checked here, before its own code runs: who somebody is, that a form is
 * ours, that the organisation is theirs, that their role grants it. What fails looks the same as what does not exist.
 */
import { type Context, Hono } from "hono";
import { insertAudit } from "../../../db/sign-in.ts";
import { isAllowed } from "../../../schema/dashboard.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { readBytesBounded } from "../../runtime/read-bounded.ts";
import { answerFromOutside, AUTH_PATH, publicOrigin } from "../people/auth.ts";
import { mayTry } from "../people/guard.ts";
import { visitOf } from "../people/session.ts";
import type { DashboardPorts } from "../ports.ts";
import { assetAt } from "./assets.ts";
import { formSeed, formToken, isOwnForm } from "./csrf.ts";
import { newNonce, secured } from "./headers.ts";
import { preferencesOf } from "./preferences.ts";
import { refuse } from "./refusals.tsx";
import { type OrganisationView, type PersonView, redirect, type Route, type View } from "./view.ts";

interface MountEnv {
  Bindings: Env;
}

const PREFIX = { anybody: "", person: "", organisation: "/app/:organisation", operator: "/app/installation" } as const;

export function routePath(route: Route): string {
  return PREFIX[route.for] + route.path;
}

/** The application of all pages. Routes for operators come first: `installation` is not an organisation. */
export function mount(routes: readonly Route[], ports: DashboardPorts): Hono<MountEnv> {
  const app = new Hono<MountEnv>();
  app.get("/assets/:name", (context) => assetAt(context.req.path) ?? context.notFound());
  app.all(`${AUTH_PATH}/*`, (context) => guarded(context, ports, answerAuth));
  const ordered = routes.toSorted((left, right) => Number(right.for === "operator") - Number(left.for === "operator"));
  for (const route of ordered) app.on(route.method, routePath(route), (context) => guarded(context, ports, (view) => admit(view, route)));
  app.notFound((context) => guarded(context, ports, (view) => refuse(view, "notFound")));
  return app;
}

/** Makes the view, checks that a changing call is ours, and gives the answer its headers, whatever happens. */
async function guarded(
  context: Context<MountEnv>,
  ports: DashboardPorts,
  answer: (view: View) => Response | Promise<Response>,
): Promise<Response> {
  const view = await viewOf(context, ports);
  let response: Response;
  try {
    response = await checked(view, answer);
  } catch (error) {
    console.error("a page failed", view.url.pathname, error);
    response = await refuse(view, "failed");
  }
  return secured(response, view);
}

async function checked(view: View, answer: (view: View) => Response | Promise<Response>): Promise<Response> {
  const { request, env } = view;
  const isSafe = request.method === "GET" || request.method === "HEAD";
  if (!isSafe && !isOwnForm(request, env, { expected: view.formToken, form: view.form })) return refuse(view, "forged");
  return answer(view);
}

async function viewOf(context: Context<MountEnv>, ports: DashboardPorts): Promise<View> {
  const { env } = context;
  const request = context.req.raw;
  const isSecure = publicOrigin(request, env).startsWith("https:");
  const { person, cookies } = await visitOf(request, env);
  const seed = formSeed(request, isSecure);
  return {
    ...preferencesOf(request),
    request,
    env,
    context: context.executionCtx,
    ports,
    url: new URL(request.url),
    params: context.req.param(),
    form: await formOf(request),
    nonce: newNonce(),
    formToken: formToken(env, seed.seed, person?.sessionId ?? null),
    isSecure,
    cookies: [...cookies, ...(seed.cookie === null ? [] : [seed.cookie])],
    person,
    organisation: null,
  };
}

/** A form's fields; null for a body that is none, which stays unread, or is longer than any form of ours. */
async function formOf(request: Request): Promise<FormData | null> {
  const type = request.headers.get("content-type") ?? "";
  if (request.method !== "POST" || !type.startsWith("application/x-www-form-urlencoded")) return null;
  const bytes = await readBytesBounded(request, LIMITS.formBodyBytes);
  return bytes === null ? null : new Response(bytes, { headers: { "content-type": type } }).formData();
}

async function answerAuth(view: View): Promise<Response> {
  if (view.request.method === "POST" && !(await mayTry("passkey", null, view.request, view.env))) return refuse(view, "tooMany");
  return (await answerFromOutside(view.request, view.env)) ?? refuse(view, "notFound");
}

/** Lets a request through to its page, or shows what anybody else would see. */
async function admit(view: View, route: Route): Promise<Response> {
  if (route.for === "anybody") return route.answer(view);
  const { person } = view;
  if (person === null) {
    if (view.request.method !== "GET") return refuse(view, "forged");
    return redirect(`/sign-in?next=${encodeURIComponent(view.url.pathname + view.url.search)}`);
  }
  const known: PersonView = { ...view, person };
  if (route.for === "person") return audited(known, route.path, await route.answer(known));
  if (route.for === "operator") {
    return person.isOperator ? audited(known, route.path, await route.answer(known)) : refuse(view, "notFound");
  }
  const organisation = person.memberships.find((each) => each.id === view.params["organisation"]);
  if (organisation === undefined || !isAllowed(organisation.role, route.may)) return refuse(view, "notFound");
  const inside: OrganisationView = {
    ...known,
    organisation,
    may: (permission) => isAllowed(organisation.role, permission),
    account: view.env.ACCOUNT.get(view.env.ACCOUNT.idFromName(organisation.account_id)),
    href: (path) => `/app/${organisation.id}${path}`,
  };
  return audited(inside, route.path, await route.answer(inside));
}

/** Notes a change that went through. Reading changes nothing, and a refused change neither. */
async function audited(view: PersonView, path: string, answer: Response): Promise<Response> {
  const isForm = view.form !== null && view.request.method === "POST";
  if (!isForm || answer.status >= 400) return answer;
  const target = ["key_id", "person_id", "id", "name"].map((name) => view.form?.get(name)).find((value) => typeof value === "string");
  await insertAudit(view.env.DB, {
    organisationId: view.organisation?.id ?? null,
    personId: view.person.id,
    action: path.slice(1),
    target: typeof target === "string" ? target.slice(0, 200) : null,
    now: Date.now(),
  });
  return answer;
}

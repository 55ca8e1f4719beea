/** The dashboard as one function, loaded when somebody first asks for a page: completions never pay for it. */
import { setNavigation } from "./frame/layout.tsx";
import { mount, routePath } from "./frame/mount.ts";
import { PAGES } from "./pages/index.ts";
import { makeSignInLink } from "./people/sign-in-links.ts";
import type { DashboardPorts, Waiting } from "./ports.ts";

export interface Dashboard {
  answer: (request: Request, env: Env, context: Waiting) => Promise<Response>;
  makeSignInLink: typeof makeSignInLink;
}

/** Every route of every page. */
export const ROUTES = PAGES.flatMap((page) => page.routes);

export function routeList(): { method: string; path: string; for: string; may: string | null }[] {
  return ROUTES.map((route) => ({
    method: route.method,
    path: routePath(route),
    for: route.for,
    may: route.for === "organisation" ? route.may : null,
  }));
}

export function createDashboard(ports: DashboardPorts): Dashboard {
  setNavigation(PAGES.flatMap((page) => page.navigation ?? []));
  const app = mount(ROUTES, ports);
  return { answer: async (request, env, context) => app.fetch(request, env, context), makeSignInLink };
}

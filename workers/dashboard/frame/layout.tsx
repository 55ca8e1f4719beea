/** The frame of every page: head, navigation, the page's own content, and at the foot the reader's preferences. */
import type { Child } from "hono/jsx";
import { html } from "hono/html";
import { isAllowed } from "../../../schema/dashboard.ts";
import { type AssetName, assetPath } from "./assets.ts";
import { Icon } from "./icons.tsx";
import { contentPolicy } from "./headers.ts";
import { Palette, PaletteButton } from "./palette.tsx";
import { FormToken } from "./parts.tsx";
import type { NavigationEntry, View } from "./view.ts";
import { common, LOCALES } from "./words.ts";
import { THEMES } from "./preferences.ts";

export interface PageFacts {
  title: string;
  status?: number;
  /** For anybody to read, and as wide as the pages inside. Left out, a page before the sign-in is a narrow form. */
  isOpen?: boolean;
  /** Scripts of the page. Every page works without them, but for what only a script can do. */
  islands?: readonly AssetName[];
  /** Where else a form of the page may lead. */
  formOrigins?: readonly string[];
}

let navigation: readonly NavigationEntry[] = [];

/** Told once, by whoever lists the pages. */
export function setNavigation(entries: readonly NavigationEntry[]): void {
  navigation = entries;
}

/** A whole page as an answer. */
export async function render(view: View, facts: PageFacts, content: Child): Promise<Response> {
  const { locale, theme, nonce } = view;
  const words = common(locale);
  const body = (
    <html lang={locale} {...(theme === "system" ? {} : { "data-theme": theme })}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content={theme === "system" ? "light dark" : theme} />
        <meta name="form-token" content={view.formToken} />
        <title>{`${facts.title} · ${words.product}`}</title>
        <link
          rel="icon"
          href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%234f46e5'/%3E%3Cpath d='M11 24V8h6a5 5 0 0 1 0 10h-6' fill='none' stroke='%23fff' stroke-width='3'/%3E%3C/svg%3E"
        />
        <link rel="stylesheet" href={assetPath("app.css")} />
        <script type="module" nonce={nonce} src={assetPath("frame.js")}></script>
        {[...(view.person === null ? [] : ["palette.js" as const]), ...(facts.islands ?? [])].map((name) => (
          <script type="module" nonce={nonce} src={assetPath(name)}></script>
        ))}
      </head>
      <body class={view.person !== null ? "wide" : facts.isOpen === true ? "open" : "narrow"}>
        <a class="skip" href="#content">
          {words.skip}
        </a>
        {view.person === null ? <PlainHeader view={view} /> : <Navigation view={view} />}
        {view.person === null ? null : <Palette view={view} />}
        <main id="content" tabindex={-1}>
          {view.env.PLYRUM_EVIDENCE === "offline" && view.organisation !== null ? <p class="evidence">{words.offline}</p> : null}
          {content}
          <Preferences view={view} />
        </main>
      </body>
    </html>
  );
  const text = await html`<!doctype html>${body}`;
  return new Response(String(text), {
    status: facts.status ?? 200,
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": contentPolicy(nonce, facts.formOrigins) },
  });
}

function PlainHeader({ view }: { view: View }) {
  return (
    <header class="plain">
      <a class="brand" href="/">
        {common(view.locale).product}
      </a>
    </header>
  );
}

function Navigation({ view }: { view: View }) {
  const words = common(view.locale);
  const { person } = view;
  const organisation = shownOrganisation(view);
  return (
    <header class="side">
      <div class="side-top">
        <a class="brand" href="/app">
          {words.product}
        </a>
        {organisation === null ? null : <p class="org-name cut">{organisation.name}</p>}
      </div>
      <nav class="menu" aria-label={words.menu}>
        <ul>
          {visibleEntries(view).map(({ href, entry }) => (
            <li>
              <a href={href} {...(isCurrent(view, href) ? { "aria-current": "page" } : {})}>
                <Icon name={entry.icon} />
                <span>{entry.label[view.locale]}</span>
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <ul class="side-foot">
        <li>
          <PaletteButton view={view} />
        </li>
        <li class="cut">
          <a href="/me" {...(isCurrent(view, "/me") ? { "aria-current": "page" } : {})}>
            <Icon name="person" />
            <span class="cut">{person?.name ?? words.account}</span>
          </a>
        </li>
        <li>
          <form method="post" action="/sign-out">
            <FormToken view={view} />
            <button class="link" type="submit">
              {words.signOut}
            </button>
          </form>
        </li>
      </ul>
    </header>
  );
}

/** On pages of a person, the one organisation they belong to. */
function shownOrganisation({ organisation, person }: View): View["organisation"] {
  const [only, second] = person?.memberships ?? [];
  return organisation ?? (second === undefined ? (only ?? null) : null);
}

function visibleEntries(view: View): { href: string; entry: NavigationEntry }[] {
  const { person } = view;
  const organisation = shownOrganisation(view);
  return navigation.flatMap((entry) => {
    if (entry.may === "operate") return person?.isOperator === true ? [{ href: `/app/installation${entry.path}`, entry }] : [];
    if (organisation === null || !isAllowed(organisation.role, entry.may)) return [];
    return [{ href: `/app/${organisation.id}${entry.path}`, entry }];
  });
}

function isCurrent(view: View, href: string): boolean {
  const isRoot = /^\/app\/[^/]+$/.test(href);
  return view.url.pathname === href || (!isRoot && view.url.pathname.startsWith(`${href}/`));
}

function Preferences({ view }: { view: View }) {
  const words = common(view.locale);
  const names = { en: "English", ru: "Русский" };
  const next = view.request.method === "GET" ? view.url.pathname + view.url.search : "/app";
  return (
    <footer class="foot">
      <form method="post" action="/preferences">
        <FormToken view={view} />
        <input type="hidden" name="next" value={next} />
        <span class="choices" role="group" aria-label={words.language}>
          {LOCALES.map((each) => (
            <button
              class="chip"
              type="submit"
              name="language"
              value={each}
              lang={each}
              aria-pressed={each === view.locale ? "true" : "false"}
            >
              {names[each]}
            </button>
          ))}
        </span>
        <span class="choices" role="group" aria-label={words.theme}>
          {THEMES.map((each) => (
            <button class="chip" type="submit" name="theme" value={each} aria-pressed={each === view.theme ? "true" : "false"}>
              {words.themes[each]}
            </button>
          ))}
        </span>
        <span class="row">
          <a href="/docs">{words.apiReference}</a>
          <a href="/status">{words.status}</a>
        </span>
      </form>
    </footer>
  );
}

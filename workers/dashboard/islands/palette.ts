/**
 * The command palette (Ctrl K, ⌘K) and single keys: `g` and a letter goes to a page, `/` into its search, `?` opens the palette with all of
 * them. What it offers are the links of the page itself, so it never knows of a page that the reader may not see.
 */

interface Offer {
  label: string;
  /** A path of this site. */
  href: string;
  key: string | null;
}

const OFFERS_SHOWN = 12;
const CHORD_MILLISECONDS = 1_500;

const dialog = document.querySelector<HTMLDialogElement>("#palette");
const input = dialog?.querySelector("input") ?? null;
const list = dialog?.querySelector("ul") ?? null;
let chosen = 0;
let chordAt = 0;

/** The links of the navigation, each with the first letter of its path that none before it has. */
function linkOffers(): Offer[] {
  const taken = new Set<string>();
  return [...document.querySelectorAll<HTMLAnchorElement>("nav.menu a, .side-foot a, .foot a")].map((link) => {
    const last = link.pathname.split("/").at(-1) ?? "";
    const key = (last.startsWith("org_") ? "overview" : last).split("").find((letter) => !taken.has(letter)) ?? null;
    if (key !== null) taken.add(key);
    return { label: link.textContent.trim(), href: link.pathname + link.search, key };
  });
}

const links = linkOffers();

/** Where what was typed can be looked for: the pages that take it in their address. */
function searches(text: string): Offer[] {
  const found: Offer[] = [];
  const add = (page: string, label: string, query: string): void => {
    const link = links.find(({ href }) => href.endsWith(`/${page}`));
    if (link !== undefined) found.push({ label: `${label} “${text}”`, href: `${link.href}${query}`, key: null });
  };
  const words = dialog?.dataset ?? {};
  if (/^req_\w+$/.test(text)) add("requests", words["open"] ?? "", `/${text}`);
  add("models", words["models"] ?? "", `?q=${encodeURIComponent(text)}`);
  add("requests", words["requests"] ?? "", `?model=${encodeURIComponent(text)}`);
  return found;
}

function offers(): Offer[] {
  const text = input?.value.trim() ?? "";
  const named = links.filter(({ label }) => label.toLowerCase().includes(text.toLowerCase()));
  return [...named, ...(text === "" ? [] : searches(text))].slice(0, OFFERS_SHOWN);
}

function show(): void {
  const shown = offers();
  chosen = Math.min(Math.max(0, chosen), Math.max(0, shown.length - 1));
  list?.replaceChildren(...shown.map((offer, index) => optionOf(offer, index)));
  input?.setAttribute("aria-activedescendant", shown.length === 0 ? "" : `palette-${chosen}`);
}

function optionOf(offer: Offer, index: number): HTMLLIElement {
  const option = document.createElement("li");
  option.id = `palette-${index}`;
  option.role = "option";
  option.ariaSelected = index === chosen ? "true" : "false";
  const label = document.createElement("span");
  label.textContent = offer.label;
  option.append(label);
  if (offer.key !== null) {
    const key = document.createElement("kbd");
    key.textContent = `g ${offer.key}`;
    option.append(key);
  }
  option.addEventListener("click", () => location.assign(offer.href));
  return option;
}

function open(): void {
  if (dialog === null || dialog.open || input === null) return;
  input.value = "";
  chosen = 0;
  show();
  dialog.showModal();
}

function onPaletteKey(event: KeyboardEvent): void {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    chosen += event.key === "ArrowDown" ? 1 : -1;
    show();
  }
  const offer = event.key === "Enter" ? offers()[chosen] : undefined;
  if (offer !== undefined) location.assign(offer.href);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function onKey(event: KeyboardEvent): void {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.code === "KeyK") {
    event.preventDefault();
    open();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || dialog?.open === true || isTyping(event.target)) return;
  const isChord = Date.now() - chordAt < CHORD_MILLISECONDS;
  // By its place on the keyboard, so that it is the same key under a Russian layout.
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1]?.toLowerCase();
  chordAt = 0;
  const link = isChord ? links.find(({ key }) => key === letter) : undefined;
  if (link !== undefined) location.assign(link.href);
  else if (letter === "g") chordAt = Date.now();
  else if (event.key === "?") {
    // Otherwise it would be typed into the box that has just opened.
    event.preventDefault();
    open();
  } else if (event.key === "/") {
    const field = document.querySelector<HTMLInputElement>("main input:not([type=hidden])");
    if (field === null) return;
    event.preventDefault();
    field.focus();
  }
}

if (dialog !== null) {
  document.addEventListener("keydown", onKey);
  dialog.addEventListener("keydown", onPaletteKey);
  input?.addEventListener("input", () => {
    chosen = 0;
    show();
  });
  // A click beside the box is one on the dialog itself.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-palette]")) {
    button.hidden = false;
    button.addEventListener("click", open);
  }
}

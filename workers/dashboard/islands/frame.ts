/** On every page: tells the server the reader's time zone, and makes the copy buttons work. */

const YEAR_SECONDS = 365 * 86_400;
const DONE_MILLISECONDS = 1_500;

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const known = document.cookie.split("; ").some((pair) => pair === `plyrum.zone=${encodeURIComponent(zone)}`);
if (!known) document.cookie = `plyrum.zone=${encodeURIComponent(zone)}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`;

async function copy(button: HTMLButtonElement): Promise<void> {
  const text = button.parentElement?.querySelector("code, [data-secret]")?.textContent ?? "";
  await navigator.clipboard.writeText(text);
  const label = button.textContent;
  button.textContent = button.dataset["done"] ?? label;
  setTimeout(() => (button.textContent = label), DONE_MILLISECONDS);
}

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => void copy(button));
}

/** What cannot be taken back is asked about first. */
for (const form of document.querySelectorAll<HTMLFormElement>("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset["confirm"])) event.preventDefault();
  });
}

document.querySelector<HTMLElement>("nav.menu a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

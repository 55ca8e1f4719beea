/** The few pictures of the navigation, drawn in lines of the text's own colour. */

const PATHS = {
  overview: "M4 13h6V4H4zm10 7h6V11h-6zM4 20h6v-4H4zM14 8h6V4h-6z",
  requests: "M4 6h16M4 12h16M4 18h10",
  usage: "M4 20V10m5 10V4m5 16v-7m5 7V8",
  balance: "M3 7h18v11H3zm0 4h18m-5 4h2",
  keys: "M14 7a4 4 0 1 1-3.5 6L8 15.5 6 13.5l-2 2L2.5 14l8-6A4 4 0 0 1 14 7zm1 3h.01",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  playground: "M4 5h16v11H9l-5 4zM8 10.5h.01M12 10.5h.01M16 10.5h.01",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zm-6 9c0-3.5 2.5-6 6-6s6 2.5 6 6M16 4.5a3.5 3.5 0 0 1 0 6.5m2 3.5c2 .8 3.5 2.8 3.5 5.5",
  routing: "M5 4v10a4 4 0 0 0 4 4h6m0 0l-3-3m3 3l-3 3M15 6h4M17 4v4",
  reliability: "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12l2 2 4-4",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7 9c0-4 3-7 7-7s7 3 7 7",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}

/** The pieces pages are built of: fields, notices, figures, tables, code to copy. */
import type { Child } from "hono/jsx";
import { raw } from "hono/html";
import { instant } from "./format.ts";
import type { View } from "./view.ts";
import { common } from "./words.ts";

/** Every form has one. */
export function FormToken({ view }: { view: View }) {
  return <input type="hidden" name="csrf" value={view.formToken} />;
}

export interface FieldFacts {
  label: string;
  name: string;
  type?: "text" | "email" | "password" | "number" | "date";
  value?: string;
  hint?: string;
  autocomplete?: string;
  required?: boolean;
  inputmode?: "decimal" | "numeric";
  minlength?: number;
  maxlength?: number;
  autofocus?: boolean;
  placeholder?: string;
}

export function Field(facts: FieldFacts) {
  const { label, name, hint, type = "text", value = "", ...rest } = facts;
  const id = `field-${name}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        type={type}
        value={value}
        {...rest}
        {...(hint === undefined ? {} : { "aria-describedby": `${id}-hint` })}
      />
      {hint === undefined ? null : (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function Select({
  label,
  name,
  options,
  value,
}: {
  label: string;
  name: string;
  options: readonly { value: string; label: string }[];
  value?: string | undefined;
}) {
  const id = `field-${name}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} name={name}>
        {options.map((option) => (
          <option value={option.value} selected={option.value === value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}

/** What came of the last action: an error is read out at once. */
export function Notice({ kind, children }: { kind: "good" | "bad" | "note"; children?: Child }) {
  return (
    <div class={`notice ${kind}`} role={kind === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}

export function Heading({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="heading">
      <h1>{title}</h1>
      {children === undefined ? null : <div class="heading-actions">{children}</div>}
    </div>
  );
}

/** `live`: its list of requests is kept up to date; "all" takes in new ones too. */
export function Card({
  title,
  children,
  wide = false,
  live,
}: {
  title?: string;
  children?: Child;
  wide?: boolean;
  live?: "all" | "known";
}) {
  return (
    <section class={wide ? "card span" : "card"} {...(live === undefined ? {} : { "data-live-list": live })}>
      {title === undefined ? null : <h2>{title}</h2>}
      {children}
    </section>
  );
}

/** One number with what it means. `live`: the script of live.tsx keeps it up to date. */
export function Figure({
  label,
  value,
  note,
  live,
}: {
  label: string;
  value: string;
  note?: string | undefined;
  live?: "available" | "balance" | "held";
}) {
  return (
    <div class="figure">
      <dt>{label}</dt>
      <dd {...(live === undefined ? {} : { "data-live": live })}>{value}</dd>
      {note === undefined ? null : (
        <dd class="hint" {...(live === "available" ? { "data-live": "note" } : {})}>
          {note}
        </dd>
      )}
    </div>
  );
}

/** A column's title; one whose name begins with `#` stands over numbers, on their side. */
function HeadCell({ title }: { title: string }) {
  return title.startsWith("#") ? (
    <th scope="col" class="number">
      {title.slice(1)}
    </th>
  ) : (
    <th scope="col">{title}</th>
  );
}

/** A table that scrolls by itself on a narrow screen, so that the page does not. */
export function Table({ caption, head, children }: { caption: string; head: readonly string[]; children?: Child }) {
  return (
    <div class="table" tabindex={0} role="region" aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {head.map((title) => (
              <HeadCell title={title} />
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Text in type of one width, with a button that copies it. */
export function Code({ view, text, label }: { view: View; text: string; label: string }) {
  const words = common(view.locale);
  return (
    <div class="code">
      <pre tabindex={0} aria-label={label}>
        <code>{text}</code>
      </pre>
      <button class="copy" type="button" data-copy data-done={words.copied} hidden>
        {words.copy}
      </button>
    </div>
  );
}

/** An empty list that says what would be in it and how to get there. */
export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Instant({ view, at }: { view: View; at: number }) {
  return (
    <time datetime={new Date(at).toISOString()} title={instant(at, view.locale, view.timeZone, "full")}>
      {instant(at, view.locale, view.timeZone)}
    </time>
  );
}

/** Data for a script of the page: not run, and unable to end its element. */
export function Data({ id, value }: { id: string; value: unknown }) {
  return (
    <script type="application/json" id={id}>
      {raw(JSON.stringify(value).replaceAll("<", String.raw`\u003c`))}
    </script>
  );
}

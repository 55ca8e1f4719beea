/** First calls to copy, with the reader's own address, model and, where it is known, key. */
import templates from "../snippets.json" with { type: "json" };

export interface Snippet {
  id: string;
  label: string;
  text: string;
}

/** Without a key, each takes it from the environment, in its own way. */
export function snippetsOf(facts: { origin: string; key: string | null; model: string | null }): Snippet[] {
  const { origin, key, model } = facts;
  return templates.map(({ id, label, text }) => {
    const fromEnvironment = id === "curl" ? '"{key}"' : "process.env.PLYRUM_API_KEY";
    const withKey =
      key === null ? text.replaceAll('"{key}"', fromEnvironment).replaceAll("{key}", "$PLYRUM_API_KEY") : text.replaceAll("{key}", key);
    return { id, label, text: withKey.replaceAll("{origin}", origin).replaceAll("{model}", model ?? "provider/model") };
  });
}

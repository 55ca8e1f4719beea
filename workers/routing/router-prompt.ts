/**
 * The question to a router model and its answer. The two formats are those that Katanemo's models were trained on, word for word, braces
 * and all (github.com/katanemo/plano and its earlier archgw, Apache-2.0): Plano-Orchestrator names several routes or none, Arch-Router one.
 */
import { isObject, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { RoutingPreference } from "../../schema/routing.ts";

/** A turn as a router model is shown it: what people and the model said, as text. */
export interface SpokenTurn {
  role: "user" | "assistant";
  content: string;
}

type Route = Pick<RoutingPreference, "name" | "description">;

const ORCHESTRATOR = `
You are a helpful assistant that selects the most suitable routes based on user intent.
You are provided with a list of available routes enclosed within <routes></routes> XML tags:
<routes>
{routes}
</routes>

You are also given the conversation context enclosed within <conversation></conversation> XML tags:
<conversation>
{conversation}
</conversation>

## Instructions
1. Analyze the latest user intent from the conversation.
2. Compare it against the available routes to find which routes can help fulfill the request.
3. Respond only with the exact route names from <routes>.
4. If no routes can help or the intent is already fulfilled, return an empty list.

## Response Format
Return your answer strictly in JSON as follows:
{{"route": ["route_name_1", "route_name_2", "..."]}}
If no routes are needed, return an empty list for \`route\`.
`;

const ROUTER = `
You are a helpful assistant designed to find the best suited route.
You are provided with route description within <routes></routes> XML tags:
<routes>
{routes}
</routes>

<conversation>
{conversation}
</conversation>

Your task is to decide which route is best suit with user intent on the conversation in <conversation></conversation> XML tags.  Follow the instruction:
1. If the latest intent from user is irrelevant or user intent is full filled, response with other route {"route": "other"}.
2. You must analyze the route descriptions and find the best match route for user latest intent.
3. You only response the name of the route that best matches the user's request, use the exact name in the <routes></routes>.

Based on your analysis, provide your response in the following JSON formats if you decide to match any route:
{"route": "route_name"}
`;

/** JSON with a space after each colon and comma, as Python writes it. */
function spacedJson({ name, description }: Route): string {
  return `{"name": ${JSON.stringify(name)}, "description": ${JSON.stringify(description)}}`;
}

/** The latest turns that fit. Of a single turn that does not, its beginning and its end, with an ellipsis between. */
export function shownTurns(turns: readonly SpokenTurn[], characters: number): SpokenTurn[] {
  const shown: SpokenTurn[] = [];
  let left = characters;
  for (const turn of turns.slice(-LIMITS.routerModelTurns).toReversed()) {
    if (turn.content.length > left && shown.length > 0) break;
    shown.unshift({ role: turn.role, content: trimmed(turn.content, left) });
    left -= turn.content.length;
    if (left <= 0) break;
  }
  return shown;
}

function trimmed(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const half = Math.floor((characters - 1) / 2);
  return `${text.slice(0, half)}…${text.slice(-half)}`.toWellFormed();
}

function fill(template: string, parts: { routes: string; conversation: string }): string {
  return template.replace("{routes}", () => parts.routes).replace("{conversation}", () => parts.conversation);
}

/** The one user message of the question, in the format that the model's name stands for. */
export function routerPrompt(model: string, routes: readonly Route[], turns: readonly SpokenTurn[]): string {
  const isOrchestrator = /orchestrator/i.test(model);
  const conversation = shownTurns(turns, isOrchestrator ? LIMITS.orchestratorCharacters : LIMITS.routerModelCharacters);
  if (isOrchestrator) {
    return fill(ORCHESTRATOR, { routes: routes.map(spacedJson).join("\n"), conversation: JSON.stringify(conversation, null, 4) });
  }
  const listed = JSON.stringify(routes.map(({ name, description }) => ({ name, description })));
  return fill(ROUTER, { routes: listed, conversation: JSON.stringify(conversation) });
}

/**
 * The name of the first route that the answer names and that exists; null where it names none. An answer with something around its JSON is
 * read all the same; one without any JSON names nothing.
 */
export function parseRouterAnswer(text: string, names: readonly string[]): string | null {
  const start = text.indexOf("{");
  const end = text.lastIndexOf("}");
  if (start === -1 || end < start) return null;
  // Single quotes, and doubled braces after the template's own, are what these models get wrong.
  for (const candidate of [text.slice(start, end + 1), text.slice(start, end + 1).replaceAll("'", '"')]) {
    const parsed = parseJson(candidate.replace(/^\{\{/, "{").replace(/\}\}$/, "}"));
    if (!parsed.ok || !isObject(parsed.value)) continue;
    const { route } = parsed.value;
    const said = (Array.isArray(route) ? route : [route]).filter((each) => typeof each === "string");
    return said.find((each) => names.includes(each)) ?? null;
  }
  return null;
}

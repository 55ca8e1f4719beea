/** What the router asks of others: the account's object for facts, and a router model, as a completion of the caller's own with a deadline. */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { routingFactsSchema } from "../../schema/routing.ts";
import type { KnownCaller } from "../engine/serve-completion.ts";
import type { RoutePorts } from "./route-request.ts";

interface Calls {
  /** Serves a whole completion in OpenAI's chat shape. */
  ask: (body: object) => Promise<Response>;
  keepAlive: (work: Promise<unknown>) => void;
}

const answerSchema = z.looseObject({ choices: z.array(z.looseObject({ message: z.looseObject({ content: z.string() }) })).min(1) });

export function routePorts(env: Env, { accountId }: KnownCaller, { ask, keepAlive }: Calls): RoutePorts {
  return {
    facts: async (question) => routingFactsSchema.parse(await env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId)).routingFacts(question)),
    askModel: async (model, prompt) => {
      // The question is billed whether or not its answer is waited for, so it is let run to its end.
      const answered = answerOf(ask, model, prompt);
      keepAlive(answered);
      return Promise.race([answered, afterDeadline()]);
    },
  };
}

/** Never fails: a router model that cannot be asked only leaves the decision to our own classifier. */
async function answerOf(ask: Calls["ask"], model: string, prompt: string): Promise<string | null> {
  try {
    const response = await ask({
      model,
      messages: [{ role: "user", content: prompt }],
      temperature: 0.01,
      max_tokens: LIMITS.routerModelTokens,
      stream: false,
    });
    const text = await response.text();
    const parsed = response.ok ? parseWith(answerSchema, text) : null;
    return parsed?.ok === true ? (parsed.value.choices[0]?.message.content ?? null) : null;
  } catch (error) {
    console.error("a router model could not be asked", error);
    return null;
  }
}

function afterDeadline(): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), LIMITS.routerModelMilliseconds));
}

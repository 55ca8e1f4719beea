/** The way from an account's lanes to the object that keeps its answers. */
import type { ConversationPort } from "../engine/ports.ts";

export function conversationsOf(env: Env): ConversationPort {
  return {
    keep: async (accountId, response) => {
      try {
        // A stub that has thrown once stays broken, so each call takes a new one.
        await env.CONVERSATION.get(env.CONVERSATION.idFromName(accountId)).keep(response);
      } catch (error) {
        console.error("an answer could not be kept", response.request_id, error);
      }
    },
  };
}

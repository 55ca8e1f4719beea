/** A call that runs on by itself: its caller is answered at once, and asks for the answer later or follows its stream. */
import type { OwnerPorts } from "./ports.ts";
import { kept, type Run } from "./run.ts";

/** `ask` runs the request; what it gives goes to a caller who follows, and to nobody else. */
export async function answerInBackground(run: Run, ask: () => Promise<Response>, ports: OwnerPorts): Promise<Response> {
  const { envelope, live, keeper } = run;
  const begun = (await keeper?.begin()) ?? "{}";
  if (envelope.conversation?.follows === true) return ask();
  const headers = { ...envelope.answer_headers, "content-type": "application/json", "x-plyrum-request-id": live.id };
  const answer = await kept(run, new Response(begun, { status: 200, headers }), ports);
  ports.keepAlive(
    ask()
      .then((response) => response.body?.cancel())
      .catch(() => undefined),
  );
  return answer;
}

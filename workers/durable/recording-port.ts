/** The way from a lane to the bucket that keeps recorded upstream bytes. */
import { putRecording } from "../../db/recordings.ts";
import type { RecordingPort } from "../engine/ports.ts";

export function recordingsOf(env: Env): RecordingPort {
  return {
    keep: ({ ...facts }, { steps, stopped, bodies, lines }) =>
      putRecording(env.ARCHIVE, { ...facts, steps, stopped }, { bodies, lines }).catch((error: unknown) =>
        console.error("what upstreams sent was not kept", facts.request_id, error),
      ),
  };
}

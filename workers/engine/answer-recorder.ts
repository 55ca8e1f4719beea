/** A bounded copy of an answer's bytes. Past its bound it keeps nothing: a replay is then refused, not cut. */
import { LIMITS } from "../../schema/limits.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";

export class AnswerRecorder {
  #parts: Uint8Array[] = [];
  #size = 0;

  /** Copies `bytes` and gives them back unchanged. */
  copy(bytes: Uint8Array): Uint8Array {
    this.#size += bytes.byteLength;
    if (this.#size <= LIMITS.replayAnswerBytes) this.#parts.push(bytes.slice());
    else this.#parts = [];
    return bytes;
  }

  /** Everything copied; null when it was too much. */
  bytes(): Uint8Array | null {
    if (this.#size > LIMITS.replayAnswerBytes) return null;
    const all = new Uint8Array(this.#size);
    let offset = 0;
    for (const part of this.#parts) {
      all.set(part, offset);
      offset += part.byteLength;
    }
    return all;
  }
}

/** The recorder of a stream that may be asked for again; null where it is not, or where it is not what the call was answered with. */
export function recorderOf({ idempotency_key: key, conversation }: ServeEnvelope): AnswerRecorder | null {
  const isAnswer = conversation === null || !conversation.background || conversation.follows;
  return key !== null && isAnswer ? new AnswerRecorder() : null;
}

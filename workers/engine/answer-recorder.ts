/** A bounded copy of an answer's bytes. Past its bound it keeps nothing: a replay is then refused, not cut. */
import { LIMITS } from "../../schema/limits.ts";

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

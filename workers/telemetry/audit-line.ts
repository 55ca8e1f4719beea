/**
 * One finished request as a line of the audit log: who called what, when, how it ended and what it cost. Pure. It has no prompt and no
 * answer to begin with; the two things in it that a caller or a provider wrote freely are obfuscated: the idempotency key is a hash, and
 * what looks like an address, a number of a person or a key is struck out of words.
 */
import type { RequestRecord } from "../../schema/message.ts";

const PERSONAL: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}.-]{1,255}\.\p{L}{2,24}/gu, "[email]"],
  [/\b(?:sk|pk|ply|ghp|xox[abp])[-_][\w-]{8,}/g, "[key]"],
  [/\b(?:\d[ -]?){13,19}\b/g, "[card]"],
  [/\+\d[\d ()-]{8,18}\d/g, "[phone]"],
];

/** `text` with what looks personal struck out. */
export function obfuscate(text: string): string {
  return PERSONAL.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
}

interface Audited {
  account_id: string;
  seq: number;
  record: RequestRecord;
}

export function auditLine({ account_id, seq, record }: Audited, hash: (text: string) => string): Record<string, unknown> {
  const { attempts, legs, timings, idempotency_key, trace, finish_reason } = record;
  return {
    account_id,
    seq,
    request_id: record.request_id,
    trace_id: trace?.trace_id ?? null,
    key_id: record.key_id,
    idempotency_key: idempotency_key === null ? null : `sha256:${hash(idempotency_key)}`,
    protocol: record.protocol,
    model: obfuscate(record.model),
    provider: record.provider,
    state: record.state,
    error_code: record.error_code,
    finish_reason: finish_reason === null ? null : obfuscate(finish_reason),
    usage: record.usage,
    usage_source: record.usage_source,
    cost_micro_rub: record.cost_micro_rub,
    timings,
    attempts: attempts.map(({ provider, status, error_code, started_at }) => ({ provider, status, error_code, started_at })),
    legs: (legs ?? []).map(({ node, provider, model, state, error_code }) => ({
      node,
      provider,
      model: obfuscate(model),
      state,
      error_code,
    })),
    evidence: record.evidence,
  };
}

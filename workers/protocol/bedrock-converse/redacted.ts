/**
 * Redacted reasoning is a blob on this wire, so its clients decode it from base64 before anybody sees it. State of another provider, which
 * carries a mark and is no base64, is therefore wrapped for the caller and unwrapped when it comes back.
 */
import { base64OfText, isBase64, textOfBase64 } from "../base64.ts";
import { readState } from "../opaque-state.ts";

export function blobOfState(state: string): string {
  return isBase64(state) ? state : base64OfText(state);
}

export function stateOfBlob(blob: string): string {
  const text = textOfBase64(blob);
  return text !== null && readState(text, "bedrock-converse").state !== text ? text : blob;
}

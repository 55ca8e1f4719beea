/** Ids of the items in answers that the gateway wrote, told apart from any provider's by a mark inside. */

export const OWN_ID_MARK = "_ply_";

export type ItemIdPrefix = "msg" | "rs" | "fc" | "ig";

/** `<prefix>_ply_<answer>_<index>`: unique in the answer and, as far as the answer's id is, beyond. At most 64 characters, as the API demands. */
export function itemId(prefix: ItemIdPrefix, answerId: string, index: number): string {
  return `${prefix}${OWN_ID_MARK}${answerId.replace(/[^a-zA-Z0-9]/g, "").slice(-40)}_${index}`;
}

export function isOwnItemId(id: unknown): boolean {
  return typeof id === "string" && /^(?:msg|rs|fc|ig)_ply_/.test(id);
}

/** An id that we gave to a reasoning item. */
export function isOwnReasoningId(id: string): boolean {
  return id.startsWith(`rs${OWN_ID_MARK}`);
}

/** Whether events may be sent to an address an operator gave: by the same guard as any address that comes from outside (media-guard.ts). */
import { type MediaGuard, readMediaAddress, refusalOf } from "./media-guard.ts";

/** Why not; null: they may. */
export function webhookAddressFault(url: string, guard: MediaGuard): string | null {
  const address = readMediaAddress(url);
  return address === null ? "it is no address" : refusalOf(address, guard);
}

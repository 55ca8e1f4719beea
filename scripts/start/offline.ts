/** Stands the offline provider in for every provider of the catalogue when the environment names none. */
import { PROVIDERS } from "../../workers/provider/index.ts";
import { startOfflineProvider } from "../offline/server.ts";
import { type Environment, isSet } from "./environment.ts";

export interface OfflineStand {
  url: string;
  /** Text bindings that lead every provider to it. */
  bindings: Record<string, string>;
  close(): Promise<void>;
}

/** True when the environment holds a credential or an address of any provider in the catalogue. */
export function namesProvider(environment: Environment): boolean {
  return Object.values(PROVIDERS).some((provider) => isSet(environment[provider.api_key_env]) || isSet(environment[provider.base_url_env]));
}

export async function startOffline(environment: Environment): Promise<OfflineStand> {
  const recordings = environment["PLYRUM_RECORDINGS"];
  const server = await startOfflineProvider({ recordingsFolder: isSet(recordings) ? recordings : "../shared/fixtures" });
  const bindings: Record<string, string> = { PLYRUM_EVIDENCE: "offline" };
  for (const provider of Object.values(PROVIDERS)) {
    bindings[provider.base_url_env] = server.url + provider.offline_path;
    bindings[provider.api_key_env] = `offline-${provider.id}`;
    if (provider.auth.kind === "sigv4") bindings[provider.auth.secret_env] = `offline-${provider.id}-secret`;
  }
  return { url: server.url, bindings, close: () => server.close() };
}

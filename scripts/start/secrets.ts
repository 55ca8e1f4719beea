/** The secrets of one state folder: made at its first start, kept in `secrets.json` (mode 0600), the same ever after. */
import { createHmac, randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { formatKey } from "../../schema/key.ts";
import { type Environment, isSet } from "./environment.ts";
import { StartRefusal } from "./refusal.ts";

const secretsSchema = z.strictObject({
  /** Keys the tag inside every client key: HMAC-SHA-256 under the UTF-8 bytes of this text. */
  key_secret: z.string().min(32),
  admin_key: z.string().min(16),
  demo_key: z.string().min(16),
});

export interface Secrets {
  keySecret: string;
  adminKey: string;
  demoKey: string;
  /** True at the first start of this state folder, the one time generated keys are printed in full. */
  fresh: boolean;
  path: string;
}

/** Keys set in the environment win over the stored ones and are never stored. */
export function readSecrets(stateDir: string, environment: Environment): Secrets {
  const path = join(stateDir, "secrets.json");
  const fresh = !existsSync(path);
  const stored = fresh ? createSecrets(path) : parseSecrets(path);
  const { PLYRUM_KEY_SECRET: keySecret, PLYRUM_ADMIN_KEY: adminKey, PLYRUM_DEMO_KEY: demoKey } = environment;
  return {
    keySecret: isSet(keySecret) ? keySecret : stored.key_secret,
    adminKey: isSet(adminKey) ? adminKey : stored.admin_key,
    demoKey: isSet(demoKey) ? demoKey : stored.demo_key,
    fresh,
    path,
  };
}

function parseSecrets(path: string): z.infer<typeof secretsSchema> {
  const parsed = parseWith(secretsSchema, readFileSync(path, "utf8"));
  if (!parsed.ok)
    throw new StartRefusal(`${path} cannot be read (${parsed.message}); restore it, or delete the state folder to begin anew`);
  return parsed.value;
}

function createSecrets(path: string): z.infer<typeof secretsSchema> {
  const keySecret = randomBytes(32).toString("base64url");
  const hmac = (text: string): Uint8Array => createHmac("sha256", keySecret).update(text).digest();
  const secrets = {
    key_secret: keySecret,
    admin_key: `ply_admin_${randomBytes(24).toString("base64url")}`,
    demo_key: formatKey({ kind: "test", accountId: "demo", random: randomBytes(40) }, hmac).key,
  };
  // Written aside and renamed: a kill between the two leaves no half file that a later start would refuse.
  writeFileSync(`${path}.new`, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return secrets;
}

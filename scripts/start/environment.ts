/** What the system is told from outside: `.dev.vars` and the environment in, the worker's text bindings out. */
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names a worker gets to see. Everything else of a developer's environment stays outside. */
const PASSED_ON =
  /^(AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION)|PLYRUM_\w+|(STRIPE|YOOKASSA|CLOUDPAYMENTS|TBANK|STANDARD_WEBHOOK|PAYMENTS|OTEL)_\w+|\w+_API_KEY|\w+_BASE_URL)$/;

/** The process environment on top of `.dev.vars` in `folder`; a missing file is an empty one. */
export function readEnvironment(folder: string): Environment {
  return { ...readVariables(`${folder}/.dev.vars`), ...process.env };
}

function readVariables(path: string): Environment {
  try {
    return parseEnv(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}

/** The variables of `environment` that become text bindings. An empty value counts as unset. */
export function textBindings(environment: Environment): Record<string, string> {
  const bindings: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (PASSED_ON.test(name) && isSet(value)) bindings[name] = value;
  }
  return bindings;
}

export function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}

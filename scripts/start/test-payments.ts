/** Without real providers no money is real either: orders of such a system can be paid by the dashboard's test provider. */
import { randomBytes } from "node:crypto";
import { type Environment, isSet } from "./environment.ts";
import { namesProvider } from "./offline.ts";

/** The environment with the test provider turned on, where answers are played and no payment service of this kind is set up. */
export function withTestPayments(environment: Environment): Environment {
  if (namesProvider(environment) || isSet(environment["STANDARD_WEBHOOK_SECRET"])) return environment;
  return { ...environment, STANDARD_WEBHOOK_SECRET: `whsec_${randomBytes(32).toString("base64")}`, PLYRUM_TEST_PAYMENTS: "on" };
}

/** New organisations: an id, an account of their own, and a first project. */
import { createOrganisation } from "../../../db/organisations.ts";
import { newAccountId } from "../../../schema/key.ts";
import { newId } from "./secrets.ts";

const DEMO_ACCOUNT = "demo";
const DEMO_ORGANISATION = "org_000000000000demo";
const DEMO_PROJECT = "prj_000000000000demo";
export const DEMO_PERSON = { email: "demo@plyrum.example", name: "Demo owner" } as const;

/** Makes an organisation with this person as its owner; gives its id. */
export async function foundOrganisation(env: Env, name: string, personId: string): Promise<string> {
  const id = newId("org");
  const accountId = newAccountId(crypto.getRandomValues(new Uint8Array(16)));
  await createOrganisation(
    env.DB,
    { id, name, account_id: accountId, created_at: Date.now() },
    { personId, projectId: newId("prj"), projectName: "Default" },
  );
  return id;
}

/** The organisation of the demo account, with this person as its owner; repeating it changes nothing. */
export async function joinDemoOrganisation(env: Env, personId: string): Promise<string> {
  await createOrganisation(
    env.DB,
    { id: DEMO_ORGANISATION, name: "Demo", account_id: DEMO_ACCOUNT, created_at: Date.now() },
    { personId, projectId: DEMO_PROJECT, projectName: "Default" },
  );
  return DEMO_ORGANISATION;
}

import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/start/system.ts";
import { type Stage, startStage } from "./shared-system.ts";

const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes, ok").toString("base64")}`;
let stage: Stage;
beforeAll(async () => {
  stage = await startStage({ STANDARD_WEBHOOK_SECRET: SECRET });
});
afterAll(() => stage.close());

test("the smoke script finds every step of a running system in order: an order paid, a refund, a chargeback, webhooks both ways", async () => {
  const { url, adminKey, demoKey } = stage.system;
  const child = spawn(join(ROOT, "scripts/smoke.sh"), [url], {
    env: { ...process.env, PLYRUM_DEMO_KEY: demoKey, PLYRUM_ADMIN_KEY: adminKey, STANDARD_WEBHOOK_SECRET: SECRET },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect(output).toContain("smoke: all steps passed");
  expect(code).toBe(0);
  for (const step of [
    "the order is paid",
    "all of it went back",
    "our webhook request.settled arrives, signed",
    "a chargeback of more than is left",
  ])
    expect(output).toMatch(new RegExp(`step     ${step}\n(.*\n){3}verdict  ok`));
});

/**
 * `npm run audit`: every account's ledger recomputed by code that is not the product's: its hash chain, its sums, its postings, all
 * accounts of all ledgers together zero, and D1 against the ledgers. Mends nothing. Exit code 0 only when the books are right.
 *
 *   --url URL [--admin-key KEY]    a running system; the key is otherwise PLYRUM_ADMIN_KEY
 *   --state DIR                    the files of a state directory, best while nothing runs on them (`.wrangler/state` by default)
 */
import { parseArgs } from "node:util";
import { auditState } from "./audit/in-state.ts";
import { auditOverHttp } from "./audit/over-http.ts";
import { AuditPrinter } from "./audit/report.ts";

const { values } = parseArgs({
  options: { url: { type: "string" }, "admin-key": { type: "string" }, state: { type: "string", default: ".wrangler/state" } },
});

async function main(): Promise<boolean> {
  const printer = new AuditPrinter((line) => process.stdout.write(`${line}\n`));
  if (values.url === undefined) {
    for (const report of auditState(values.state)) {
      if ("lost" in report) printer.found(`D1 has entries of ${report.lost}, whose ledger is not there`);
      else printer.add(report);
    }
    return printer.close();
  }
  const adminKey = values["admin-key"] ?? process.env["PLYRUM_ADMIN_KEY"];
  if (adminKey === undefined) throw new Error("give the admin key: --admin-key KEY, or PLYRUM_ADMIN_KEY in the environment");
  for await (const report of auditOverHttp({ url: values.url.replace(/\/+$/, ""), adminKey })) printer.add(report);
  return printer.close();
}

main().then(
  (isRight) => process.exit(isRight ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`audit: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  },
);

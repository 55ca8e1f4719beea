/** What an audit found, account by account and in all. */
import type { ChainReader } from "./chain.ts";

export interface AccountReport {
  account: string;
  chain: ChainReader;
  state: string;
  heldMicroRub: bigint;
  openHolds: number;
  incidents: number;
  /** Entries on their way to D1: none at rest. */
  notInD1: number;
  /** What is wrong beyond the chain itself. */
  findings: string[];
}

const ACCOUNTS = ["customer", "revenue", "provider_cost", "fees", "house_loss", "payment_clearing", "adjustment"];

function rub(microRub: bigint): string {
  const sign = microRub < 0n ? "-" : "";
  const digits = String(microRub < 0n ? -microRub : microRub).padStart(7, "0");
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/** Sums all accounts of all ledgers, prints every account and what was found. False: something is wrong. */
export class AuditPrinter {
  readonly #house = new Map<string, bigint>();
  readonly #say: (line: string) => void;
  #accounts = 0;
  #entries = 0;
  #late = 0;
  #found = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  add(report: AccountReport): void {
    const { chain } = report;
    this.#accounts += 1;
    this.#entries += chain.seq;
    this.#late += report.notInD1;
    for (const [name, amount] of chain.house) this.#house.set(name, (this.#house.get(name) ?? 0n) + amount);
    const findings = [...chain.findings, ...report.findings];
    this.#found += findings.length;
    const facts = [`${chain.seq} entries`, `balance ${rub(chain.balance)} RUB`, report.state];
    if (report.openHolds > 0) facts.push(`${report.openHolds} open holds of ${rub(report.heldMicroRub)} RUB`);
    if (report.incidents > 0) facts.push(`${report.incidents} incidents`);
    if (report.notInD1 > 0) facts.push(`${report.notInD1} entries on their way to D1`);
    this.#say(`${findings.length === 0 ? "ok   " : "WRONG"} ${report.account}: ${facts.join(", ")}`);
    for (const finding of findings) this.#say(`      ${finding}`);
  }

  /** A finding that is no account's own. */
  found(what: string): void {
    this.#found += 1;
    this.#say(`WRONG ${what}`);
  }

  close(): boolean {
    const names = [...ACCOUNTS, ...[...this.#house.keys()].filter((name) => !ACCOUNTS.includes(name))];
    this.#say("\nall accounts of all ledgers, RUB");
    for (const name of names) this.#say(`${rub(this.#house.get(name) ?? 0n).padStart(24)}  ${name}`);
    const sum = [...this.#house.values()].reduce((all, amount) => all + amount, 0n);
    this.#say(`${rub(sum).padStart(24)}  together`);
    if (sum !== 0n) this.found(`all accounts together are ${rub(sum)} RUB and not zero`);
    const late = this.#late > 0 ? `, ${this.#late} entries are on their way to D1` : "";
    this.#say(
      `\n${this.#accounts} accounts, ${this.#entries} entries: ${this.#found === 0 ? "the books are right" : `${this.#found} findings`}${late}`,
    );
    return this.#found === 0;
  }
}

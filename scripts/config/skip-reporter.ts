/** Names every skipped test at the end of a run, with its reason, so that nothing is left out silently. */
import type { Reporter, TestCase, TestModule } from "vitest/node";

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests("skipped")]);
    process.stdout.write(`\n${skipped.length} tests skipped\n`);
    for (const test of skipped) process.stdout.write(`  skipped: ${describeSkip(test)}\n`);
  }
}

function describeSkip(test: TestCase): string {
  const result = test.result();
  const note = result.state === "skipped" ? result.note : undefined;
  // A group that is skipped whole says why in its own name.
  const reason = note ?? (test.fullName.includes("(skipped: ") ? "see its group" : "no reason given");
  return `${test.module.relativeModuleId}: ${test.fullName} (${reason})`;
}

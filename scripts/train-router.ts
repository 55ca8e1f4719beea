/**
 * `npm run train:router`: trains the router's model on the public sets beside the repository, writes its weights into the bundle, and prints
 * what it is worth. The same sets give the same weights. `PLYRUM_DATASETS` names another folder of sets.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { unpackModel } from "../workers/routing/router-model.ts";
import { DATA_FOLDER, hasDataSets, readDataSets } from "./router/data-sets.ts";
import { evaluate } from "./router/evaluate.ts";
import { fitModel } from "./router/fit-model.ts";
import { renderReport } from "./router/report.ts";

const WEIGHTS = join(import.meta.dirname, "../workers/routing/router-weights.json");

if (hasDataSets()) {
  const data = readDataSets();
  const weights = fitModel(data, (line) => process.stderr.write(`${line}\n`));
  const text = `${JSON.stringify(weights)}\n`;
  writeFileSync(WEIGHTS, text);
  process.stdout.write(`${renderReport(evaluate(unpackModel(weights), data))}\n\nweights: ${text.length} bytes\n`);
} else {
  process.stderr.write(`There are no data sets in ${DATA_FOLDER}; name their folder in PLYRUM_DATASETS.\n`);
  process.exitCode = 1;
}

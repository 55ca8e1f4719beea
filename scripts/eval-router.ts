/** `npm run eval:router`: what the router's shipped model is worth on texts it was not trained on. Fails below its floors. */
import { routerWeightsSchema } from "../schema/router-weights.ts";
import { unpackModel } from "../workers/routing/router-model.ts";
import weights from "../workers/routing/router-weights.json" with { type: "json" };
import { DATA_FOLDER, hasDataSets, readDataSets } from "./router/data-sets.ts";
import { evaluate } from "./router/evaluate.ts";
import { missedFloors } from "./router/floors.ts";
import { renderReport } from "./router/report.ts";

if (hasDataSets()) {
  const evaluation = evaluate(unpackModel(routerWeightsSchema.parse(weights)), readDataSets());
  process.stdout.write(`${renderReport(evaluation)}\n`);
  for (const missed of missedFloors(evaluation)) {
    process.stderr.write(`below its floor: ${missed}\n`);
    process.exitCode = 1;
  }
} else {
  process.stderr.write(`There are no data sets in ${DATA_FOLDER}; name their folder in PLYRUM_DATASETS.\n`);
  process.exitCode = 1;
}

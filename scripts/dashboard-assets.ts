/**
 * Makes workers/dashboard/assets.json from the style sheet and the scripts of the pages: `npm run assets`, and by itself before every start
 * and check. The file is part of the tree, so that the worker can be bundled by any tool without a step before it; a test compares.
 */
import { fileURLToPath } from "node:url";
import { writeAssets } from "./start/assets.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const changed = await writeAssets(root);
process.stdout.write(changed ? "assets: workers/dashboard/assets.json written\n" : "assets: up to date\n");

/** The offline provider on its own: `node scripts/offline/main.ts --port N`. */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { startOfflineProvider } from "./server.ts";

const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const folder = process.env["PLYRUM_RECORDINGS"] ?? "../shared/fixtures";
const provider = await startOfflineProvider({ port: Number(values.port), recordingsFolder: existsSync(folder) ? folder : null });
console.log(`The offline provider listens on ${provider.url}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void provider.close().then(() => process.exit(0)));

/** Bundles the style sheet and the scripts of the dashboard into one JSON file, each with a name that holds its hash. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const FOLDER = "workers/dashboard";
const FILE = `${FOLDER}/assets.json`;
/** Islands import these; they are no scripts of a page by themselves. */
const SHARED = ["read-json.ts", "chart-look.ts", "sse.ts", "formats.ts"];

interface Asset {
  name: string;
  type: string;
  text: string;
}

/** Everything that is served, by the name pages use. */
async function buildAssets(root: string): Promise<Record<string, Asset>> {
  const islands = readdirSync(join(root, FOLDER, "islands"))
    .filter((name) => name.endsWith(".ts") && !SHARED.includes(name))
    .toSorted();
  const result = await build({
    entryPoints: [...islands.map((name) => join(FOLDER, "islands", name)), join(FOLDER, "style/app.css")],
    absWorkingDir: root,
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: ["es2023", "chrome123", "safari17.5", "firefox120"],
    outdir: "out",
    legalComments: "none",
    logLevel: "silent",
  });
  const assets = result.outputFiles.map((file): [string, Asset] => assetOf(basename(file.path), file.text));
  return Object.fromEntries(assets.toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function assetOf(plain: string, text: string): [string, Asset] {
  const hash = createHash("sha256").update(text).digest("base64url").slice(0, 12);
  const dot = plain.lastIndexOf(".");
  const type = plain.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
  return [plain, { name: `${plain.slice(0, dot)}.${hash}${plain.slice(dot)}`, type, text }];
}

export function storedAssets(root: string): string {
  const path = join(root, FILE);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

export async function assetsText(root: string): Promise<string> {
  return `${JSON.stringify(await buildAssets(root), null, 1)}\n`;
}

/** Writes the file where it is not what its sources make. True: it was not. */
export async function writeAssets(root: string): Promise<boolean> {
  const text = await assetsText(root);
  if (text === storedAssets(root)) return false;
  const path = join(root, FILE);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return true;
}

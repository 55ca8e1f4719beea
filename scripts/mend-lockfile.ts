/**
 * Puts back what a partial registry leaves out of package-lock.json: `npm run lock` after every change of a dependency.
 *
 * A native tool lists one optional package for each platform. When the registry at hand does not carry one of them, npm writes the lockfile
 * without it, and then `npm ci` refuses that very lockfile ("Missing: … from lock file"), and a machine of that platform has no
 * binary. The version is exact in the tool's own list, and the platform is in the package's name, so the entry can be written down
 * without asking anybody; npm adds no integrity to it, and other platforms skip it unread.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { parseWith } from "../schema/json.ts";

const namesToVersions = z.record(z.string(), z.string()).optional();
const lockedPackage = z.looseObject({
  version: z.string().optional(),
  resolved: z.string().optional(),
  optionalDependencies: namesToVersions,
});
const lockfileSchema = z.looseObject({ packages: z.record(z.string(), lockedPackage) });
export type Lockfile = z.infer<typeof lockfileSchema>;

const SYSTEMS: Record<string, string> = { windows: "win32" };
const PROCESSORS: Record<string, string> = { "64": "x64" };
const C_LIBRARIES: Record<string, string> = { gnu: "glibc", gnueabihf: "glibc", musl: "musl", musleabihf: "musl" };

export function readLockfile(root: string): Lockfile {
  const parsed = parseWith(lockfileSchema, readFileSync(join(root, "package-lock.json"), "utf8"));
  if (!parsed.ok) throw new Error(`package-lock.json: ${parsed.path ?? ""} ${parsed.message}`);
  return parsed.value;
}

/** The entries that optional dependencies with an exact version ask for and the lockfile has not, by their path in it. */
export function missingEntries({ packages }: Lockfile): Record<string, Record<string, unknown>> {
  const missing: Record<string, Record<string, unknown>> = {};
  for (const [parent, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const path = `node_modules/${name}`;
      const present = path in packages || `${parent}/node_modules/${name}` in packages;
      const platform = platformOf(name);
      if (!present && platform !== null && /^\d/.test(version)) missing[path] = { version, ...platform, dev: true, optional: true };
    }
  }
  return missing;
}

/** `@oxfmt/binding-linux-arm64-musl` → linux, arm64, musl; null for a name that tells no platform. */
function platformOf(name: string): Record<string, string[]> | null {
  const match = /[-/](android|darwin|freebsd|linux|openharmony|win32|windows)-(\w+)(?:-(\w+))?$/.exec(name);
  const [, system, processor, library] = match ?? [];
  if (system === undefined || processor === undefined) return null;
  const libc = system === "linux" && library !== undefined ? C_LIBRARIES[library] : undefined;
  const platform = { cpu: [PROCESSORS[processor] ?? processor], os: [SYSTEMS[system] ?? system] };
  return libc === undefined ? platform : { ...platform, libc: [libc] };
}

function mend(root: string): void {
  const lockfile = readLockfile(root);
  const missing = missingEntries(lockfile);
  const entries = Object.entries({ ...lockfile.packages, ...missing });
  const packages = Object.fromEntries(entries.toSorted(([left], [right]) => (left < right ? -1 : 1)));
  writeFileSync(join(root, "package-lock.json"), `${JSON.stringify({ ...lockfile, packages }, null, 2)}\n`);
  process.stdout.write(`package-lock.json: ${Object.keys(missing).length} entries put back\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) mend(process.cwd());

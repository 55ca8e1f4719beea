/** The lockfile installs everywhere: on any platform, from any registry. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { missingEntries, readLockfile } from "../scripts/mend-lockfile.ts";

const lockfile = readLockfile(dirname(dirname(fileURLToPath(import.meta.url))));

test("every platform package that a tool lists has an entry, or npm ci refuses the lockfile", () => {
  expect(Object.keys(missingEntries(lockfile)), "run npm run lock").toEqual([]);
});

test("no entry holds the address of the registry it came from", () => {
  const addressed = Object.entries(lockfile.packages).filter(([, locked]) => locked.resolved !== undefined);
  expect(addressed.map(([path]) => path)).toEqual([]);
});

test("an entry left out is put back with the platform its name tells", () => {
  const tool = {
    version: "1.0.0",
    optionalDependencies: { "@tool/binding-linux-arm64-musl": "1.0.0", "@tool/windows-64": "1.0.0", plain: "^2.0.0" },
  };
  expect(missingEntries({ packages: { "node_modules/tool": tool } })).toEqual({
    "node_modules/@tool/binding-linux-arm64-musl": {
      version: "1.0.0",
      cpu: ["arm64"],
      os: ["linux"],
      libc: ["musl"],
      dev: true,
      optional: true,
    },
    "node_modules/@tool/windows-64": { version: "1.0.0", cpu: ["x64"], os: ["win32"], dev: true, optional: true },
  });
});

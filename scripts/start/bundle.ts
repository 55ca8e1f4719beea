/** Bundles the worker into one module, the way workerd takes it: a few hundred milliseconds, no plugins. */
import { build, stop } from "esbuild";

/**
 * The direct socket of a worker with assets goes through two more workers when it leads to the default entry point, and the files of
 * the dashboard are not worth that on every completion. So the bundle exports the same object under this second name.
 */
export const DIRECT_ENTRYPOINT = "direct";

/** The text of one ES module. `cloudflare:*` and `node:*` stay imports, which the runtime answers. */
export async function bundleWorker(entry: string, root: string): Promise<string> {
  const from = JSON.stringify(entry);
  const result = await build({
    stdin: {
      contents: `export * from ${from}; import worker from ${from}; export default worker; export { worker as ${DIRECT_ENTRYPOINT} };`,
      resolveDir: root,
      sourcefile: "entry.js",
    },
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "silent",
  });
  // esbuild keeps a process for the next build; there is none.
  await stop();
  const module = result.outputFiles[0];
  if (module === undefined) throw new Error("esbuild gave no module");
  return module.text;
}

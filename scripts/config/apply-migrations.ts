/** Runs before every test file inside workerd: brings the file's own empty D1 databases to the current tables. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";

declare global {
  /** The worker's bindings under a name that `Cloudflare.Env` below can extend. */
  type WorkerBindings = Env;
  namespace Cloudflare {
    /** Types `exports` of "cloudflare:workers": `exports.default.fetch(...)` calls the worker itself. */
    interface GlobalProps {
      mainModule: typeof import("../../workers/index.ts");
      durableNamespaces: "AccountDO" | "RequestDO";
    }
    interface Env extends WorkerBindings {
      TEST_MIGRATIONS: D1Migration[];
      USAGE_1: D1Database;
    }
  }
}

await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
await applyD1Migrations(env.USAGE_1, env.TEST_MIGRATIONS);

/** Runs before every test file inside workerd: brings the file's own empty D1 database to the current tables. */
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
    }
  }
}

await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);

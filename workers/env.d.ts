/** The bindings of wrangler.toml and the variables of the environment, as the objects and the Worker see them. */
interface Env {
  ACCOUNT: DurableObjectNamespace<import("../schema/rpc.ts").AccountRpc & Rpc.DurableObjectBranded>;
  REQUEST: DurableObjectNamespace<import("../schema/rpc.ts").LaneRpc & Rpc.DurableObjectBranded>;
  DB: D1Database;
  ARCHIVE: R2Bucket;
  USAGE_QUEUE: Queue;
  ASSETS: Fetcher;
  /** The network itself. Only `npm start` binds it: the local runtime otherwise leads every outgoing call through a worker of its own. */
  UPSTREAM?: Fetcher;
  PLYRUM_KEY_SECRET: string;
  PLYRUM_ADMIN_KEY: string;
  PLYRUM_DEMO_KEY?: string;
  PLYRUM_EVIDENCE?: string;
  /** `NAME_API_KEY`, `NAME_BASE_URL`: read by name, only in workers/http/environment.ts. */
  [variable: `${string}_API_KEY`]: string | undefined;
  [variable: `${string}_BASE_URL`]: string | undefined;
}

/** The bindings of wrangler.toml and the variables of the environment, as the objects and the Worker see them. */
interface Env {
  ACCOUNT: DurableObjectNamespace<import("../schema/rpc.ts").AccountRpc & Rpc.DurableObjectBranded>;
  REQUEST: DurableObjectNamespace<import("../schema/rpc.ts").LaneRpc & Rpc.DurableObjectBranded>;
  CONVERSATION: DurableObjectNamespace<import("../schema/conversation.ts").ConversationRpc & Rpc.DurableObjectBranded>;
  DB: D1Database;
  ARCHIVE: R2Bucket;
  USAGE_QUEUE: Queue;
  WEBHOOK_QUEUE: Queue;
  TELEMETRY_QUEUE: Queue;
  ASSETS: Fetcher;
  /** The network itself. Only `npm start` binds it: the local runtime otherwise leads every outgoing call through a worker of its own. */
  UPSTREAM?: Fetcher;
  /** A network of public addresses only, for media that callers name. Only `npm start` binds it: deployed, no Worker reaches private ones. */
  MEDIA_NETWORK?: Fetcher;
  PLYRUM_KEY_SECRET: string;
  PLYRUM_ADMIN_KEY: string;
  PLYRUM_DEMO_KEY?: string;
  PLYRUM_EVIDENCE?: string;
  /** Where people reach this installation; what their requests name otherwise. */
  PLYRUM_PUBLIC_URL?: string;
  /** Who may sign up: `open` (the default) or `invited`. */
  PLYRUM_SIGN_UP?: string;
  /** OpenTelemetry's own variables (ENDPOINT, HEADERS, SERVICE_NAME): read only in workers/queue/telemetry-settings.ts. */
  [variable: `OTEL_${string}`]: string | undefined;
  /** `r2`: a line of each finished request is kept in the archive bucket (workers/queue/consume-telemetry.ts). */
  PLYRUM_AUDIT_LOG?: string;
  /** `on`: orders can be paid by the test provider, in a system without real providers only. */
  PLYRUM_TEST_PAYMENTS?: string;
  /** Outside providers of sign-in: read only in workers/dashboard/people/outside-sign-in.ts. */
  [variable: `PLYRUM_${"GITHUB" | "GOOGLE" | "OIDC"}_${string}`]: string | undefined;
  /** Settings of the payment providers: read by name, only in workers/queue/topup-ports.ts. */
  [variable: `${"STRIPE" | "YOOKASSA" | "CLOUDPAYMENTS" | "TBANK" | "STANDARD_WEBHOOK" | "PAYMENTS"}_${string}`]: string | undefined;
  /** `NAME_API_KEY`, `NAME_BASE_URL`: read by name, only in workers/http/environment.ts. */
  [variable: `${string}_API_KEY`]: string | undefined;
  [variable: `${string}_BASE_URL`]: string | undefined;
}

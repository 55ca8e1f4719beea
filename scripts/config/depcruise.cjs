/**
 * Import direction (design.md §2), as a program. A file imports only from a lower level; folders of one level do not import each
 * other; each outside package with a reach of its own is imported in one place. Everything is an error, from the first day.
 */
const LEVELS = [
  ["schema"],
  ["db", "workers/protocol", "workers/cost", "workers/ledger", "workers/payment", "workers/routing", "workers/guard", "workers/planner", "workers/telemetry"],
  ["workers/provider"],
  ["workers/runtime"],
  ["workers/engine", "workers/topup", "workers/agent", "workers/fleet"],
  ["workers/durable", "workers/queue", "workers/http", "workers/dashboard"],
];

const inFolder = (folder) => `^${folder}/`;

/** One rule a folder: it may reach itself and every lower level, so what is above and beside it is forbidden. */
const levelRules = LEVELS.flatMap((folders, level) =>
  folders.map((folder) => ({
    name: `level-${level}-${folder.replace("workers/", "")}`,
    comment: `${folder} is on level ${level}: it imports itself and lower levels only`,
    severity: "error",
    from: { path: inFolder(folder) },
    to: {
      path: [...LEVELS.slice(level).flat(), "workers/index"].filter((other) => other !== folder).map((other) => `^${other}(/|\\.ts$)`),
    },
  })),
);

/** An outside package and the only places that may import it. */
const packageRules = [
  { name: "hono", allowed: ["workers/http/", "workers/dashboard/", "workers/index\\.ts$"] },
  { name: "cloudflare:workers", allowed: ["workers/durable/", "workers/index\\.ts$", "test/", "scripts/config/"] },
  { name: "aws4fetch", allowed: ["workers/runtime/sign-request\\.ts$", "test/"] },
  { name: "drizzle-orm", allowed: ["db/", "scripts/config/"] },
].map(({ name, allowed }) => ({
  name: `only-place-of-${name.replace(":", "-")}`,
  comment: `${name} is imported only in ${allowed.join(", ")}`,
  severity: "error",
  from: { pathNot: [...allowed.map((path) => `^${path}`), "node_modules"] },
  to: { path: `(^|node_modules/)${name}(/|$)` },
}));

module.exports = {
  forbidden: [
    ...levelRules,
    ...packageRules,
    {
      name: "no-cycle",
      comment: "a cycle means two files are one; type-only cycles are counted too",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "schema-imports-zod-only",
      comment: "schema/ holds contracts: it imports itself and zod",
      severity: "error",
      from: { path: "^schema/" },
      to: { pathNot: ["^schema/", "^node_modules/zod/"] },
    },
    {
      name: "db-from-level-5",
      comment: "the database is reached through ports below level 5",
      severity: "error",
      from: { path: "^workers/(?!durable/|queue/|http/|dashboard/|index\\.ts$)" },
      to: { path: "^db/" },
    },
    {
      name: "product-imports-product",
      comment: "what is deployed never imports scripts, tests or Node's own modules",
      severity: "error",
      from: { path: "^(workers|schema|db)/" },
      to: { path: "^(scripts|test)/" },
    },
    {
      name: "cores-import-no-runtime",
      comment: "pure rooms reach no platform and no Node module",
      severity: "error",
      from: { path: "^workers/(protocol|cost|ledger|payment|routing|guard|planner|telemetry|provider|runtime|engine|topup)/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "a-provider-is-alone",
      comment: "inside workers/provider only the registry imports its siblings",
      severity: "error",
      from: { path: "^workers/provider/(?!index\\.ts$)" },
      to: { path: "^workers/" },
    },
    {
      name: "resolvable",
      comment: "an import must lead somewhere",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: ["^cloudflare:"] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};

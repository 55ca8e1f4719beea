/** What every route has: the bindings, the id of this call, and, behind a key, who calls. */

export interface Caller {
  accountId: string;
  /** Null on routes where only admission decides whether the key is active. */
  keyId: string | null;
  keyHash: string;
}

export interface AppEnv {
  Bindings: Env;
  Variables: { requestId: string; caller: Caller };
}

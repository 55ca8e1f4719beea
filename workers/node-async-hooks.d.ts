/** The one class of Node's async_hooks that workerd gives us and we use: what belongs to one request, wherever its calls go. */
declare module "node:async_hooks" {
  export class AsyncLocalStorage {
    run<Result>(store: unknown, work: () => Result): Result;
    getStore(): unknown;
  }
}

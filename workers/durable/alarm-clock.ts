/** One object has one alarm. This keeps its time in memory, so that arming it again costs a write only when it must ring earlier. */
export class AlarmClock {
  readonly #storage: DurableObjectStorage;
  #at: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  async load(): Promise<void> {
    this.#at = await this.#storage.getAlarm();
  }

  /** Rings at `at` or before. */
  atLatest(at: number): void {
    if (this.#at !== null && this.#at <= at) return;
    this.#at = at;
    void this.#storage.setAlarm(at);
  }

  fired(): void {
    this.#at = null;
  }
}

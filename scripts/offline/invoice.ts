/** The offline provider's own invoice: what it would bill for every request it served, so that a test can hold our bill against it. */
export interface InvoiceLine {
  n: number;
  /** `x-plyrum-request-id` of the call, when it had one. */
  request_id: string | null;
  path: string;
  model: string;
  stream: boolean;
  status: number;
  input: number;
  cache_read: number;
  cache_write_5m: number;
  cache_write_1h: number;
  output: number;
  reasoning: number;
  /** The final usage reached the wire. */
  reported: boolean;
  completed: boolean;
  /** After how many events the caller was found gone; null when it stayed. */
  client_closed_at_event: number | null;
}

export class Invoice {
  #lines: InvoiceLine[] = [];
  #count = 0;

  /** Opens a line of zeros; its owner fills it in as the answer goes out. */
  open(facts: Pick<InvoiceLine, "request_id" | "path" | "model" | "stream">): InvoiceLine {
    this.#count += 1;
    const line: InvoiceLine = {
      n: this.#count,
      ...facts,
      status: 200,
      input: 0,
      cache_read: 0,
      cache_write_5m: 0,
      cache_write_1h: 0,
      output: 0,
      reasoning: 0,
      reported: false,
      completed: false,
      client_closed_at_event: null,
    };
    this.#lines.push(line);
    return line;
  }

  lines(): InvoiceLine[] {
    return this.#lines.map((line) => ({ ...line }));
  }

  clear(): void {
    this.#lines = [];
  }
}

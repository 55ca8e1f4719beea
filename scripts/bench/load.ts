/** The caller's side: sends requests over kept connections and notes when bytes came. Runs in the benchmark's own process. */
import { Agent, request as send, type IncomingMessage } from "node:http";

export interface Target {
  port: number;
  path: string;
  headers: Record<string, string>;
}

export interface Sample {
  /** To the first byte of the body. */
  firstByteMilliseconds: number;
  totalMilliseconds: number;
  /** How long each timed chunk was on its way from the upstream's write to this reader. */
  chunkMilliseconds: number[];
  status: number;
  /** Of the body. */
  bytes: number;
}

export interface Load {
  body: string;
  requests: number;
  parallel: number;
  /** Close the connection after this many bytes events; null reads to the end. */
  abortAfterReads: number | null;
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function once(target: Target, agent: Agent, load: Load): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const started = now();
    const sample: Sample = { firstByteMilliseconds: Number.NaN, totalMilliseconds: 0, chunkMilliseconds: [], status: 0, bytes: 0 };
    const finish = (): void => {
      sample.totalMilliseconds = now() - started;
      resolve(sample);
    };
    const onAnswer = (response: IncomingMessage): void => {
      sample.status = response.statusCode ?? 0;
      let reads = 0;
      response.on("data", (bytes: Buffer) => {
        const at = now();
        if (reads === 0) sample.firstByteMilliseconds = at - started;
        reads += 1;
        sample.bytes += bytes.length;
        for (const match of bytes.toString("latin1").matchAll(/t=([\d.]+) /g)) sample.chunkMilliseconds.push(at - Number(match[1]));
        if (load.abortAfterReads !== null && reads >= load.abortAfterReads) outgoing.destroy();
      });
      response.on("close", finish);
    };
    const outgoing = send(
      {
        host: "127.0.0.1",
        port: target.port,
        path: target.path,
        method: "POST",
        agent,
        headers: { ...target.headers, "content-type": "application/json", "content-length": Buffer.byteLength(load.body) },
      },
      onAnswer,
    );
    outgoing.on("error", (error) => (load.abortAfterReads === null ? reject(error) : finish()));
    outgoing.end(load.body);
  });
}

/** Runs the load and gives its samples and how long it took, in milliseconds. */
export async function runLoad(target: Target, load: Load): Promise<{ samples: Sample[]; milliseconds: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.parallel });
  const samples: Sample[] = [];
  const started = now();
  let left = load.requests;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      samples.push(await once(target, agent, load));
    }
  };
  await Promise.all(Array.from({ length: load.parallel }, worker));
  agent.destroy();
  return { samples, milliseconds: now() - started };
}

/** Frames of Amazon's event stream by Node's own tools: what the offline provider sends and tests compare with, sharing nothing with the gateway's code. */
import { crc32 } from "node:zlib";

function header(name: string, value: string): Buffer {
  const head = Buffer.from([name.length, ...Buffer.from(name), 7, value.length >> 8, value.length & 255]);
  return Buffer.concat([head, Buffer.from(value)]);
}

/** One frame with a JSON payload. A type that ends in `Exception` is one. */
export function frameOf(type: string, payload: string): Buffer {
  const kind = type.endsWith("Exception") ? "exception" : "event";
  const headers = Buffer.concat([
    header(`:${kind}-type`, type),
    header(":content-type", "application/json"),
    header(":message-type", kind),
  ]);
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + headers.length + body.length, 0);
  prelude.writeUInt32BE(headers.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(Buffer.concat([prelude, headers, body])));
  return Buffer.concat([prelude, headers, body, checksum]);
}

/** Media by address, against hostile addresses and hostile servers. Nothing here reaches a network: the fetch is a table. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { fetchMedia, type MediaOutcome } from "../../workers/runtime/fetch-media.ts";
import { readMediaAddress, refusalOf } from "../../workers/runtime/media-guard.ts";

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]);
const PDF = new TextEncoder().encode("%PDF-1.7\nrest");
const URL_A = "https://pictures.example.com/a.png";

const STRICT = { allowsLoopback: false };
const LOOPBACK = { allowsLoopback: true };

function refusal(text: string, guard = STRICT): string | null {
  const address = readMediaAddress(text);
  return address === null ? "it is no address" : refusalOf(address, guard);
}

type Answer = (init: RequestInit) => Response | Promise<Response>;

/** A network of these addresses; every call is noted. */
function network(table: Record<string, Answer>, guard = STRICT, late: (action: () => void) => void = () => undefined) {
  const calls: { url: string; init: RequestInit }[] = [];
  const run = (...urls: string[]): Promise<MediaOutcome> =>
    fetchMedia(urls, {
      fetch: async (url, init) => {
        calls.push({ url, init });
        const answer = table[url];
        if (answer === undefined) throw new TypeError("no such host");
        return answer(init);
      },
      after: (_milliseconds, action) => {
        late(action);
        return () => undefined;
      },
      guard,
    });
  return { calls, run };
}

const media = (bytes: Uint8Array, type: string | null = "image/png", headers: Record<string, string> = {}): Answer => {
  return () => new Response(bytes.slice(), { headers: { ...(type === null ? {} : { "content-type": type }), ...headers } });
};
const redirect = (location: string, status = 302): Answer => {
  return () => new Response(null, { status, headers: { location } });
};
const reasonOf = (outcome: MediaOutcome): string => (outcome.ok ? "fetched" : outcome.reason);

describe("addresses", () => {
  test.each([
    "https://127.0.0.1/a.png",
    "https://127.1/a.png",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.8/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://8.8.8.8/",
    "https://127.0.0.1./",
  ])("the literal %s is refused in every spelling", (text) => {
    expect(refusal(text)).toBe("it is an IP address and not a name");
  });

  test.each([
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://metadata/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://printer.local/",
    "https://printer.local../",
    "https://db.corp/",
    "https://router.lan/",
    "https://x.home.arpa/",
    "https://api.default.svc/",
    "https://kubernetes.default.svc.cluster.local/",
    "https://host.docker.internal/",
    "https://ⓛocalhost/",
    "https://intranet/",
  ])("the private name %s is refused", (text) => {
    expect(refusal(text)).toBe("it is a name of a private network");
  });

  test.each([
    ["http://pictures.example.com/a.png", "it is not https"],
    ["ftp://pictures.example.com/a.png", "it is not https"],
    ["file:///etc/passwd", "it is not https"],
    ["gs://bucket/a.png", "it is not https"],
    ["javascript:alert(1)", "it is not https"],
    ["blob:https://pictures.example.com/1", "it is not https"],
    ["https://user:secret@pictures.example.com/", "it carries credentials"],
    ["https://user@pictures.example.com/", "it carries credentials"],
    ["https://pictures.example.com@127.0.0.1/", "it carries credentials"],
    ["https://pictures.example.com:22/", "it names a port"],
    ["https://pictures.example.com:8443/", "it names a port"],
    ["not an address", "it is no address"],
    ["", "it is no address"],
    ["//pictures.example.com/a.png", "it is no address"],
    ["https://", "it is no address"],
    ["https://exa mple.com/", "it is no address"],
    ["https://300.1.1.1/", "it is no address"],
    [`https://pictures.example.com/${"a".repeat(LIMITS.mediaAddressCharacters)}`, "it is no address"],
  ])("%s is refused", (text, reason) => {
    expect(refusal(text)).toBe(reason);
  });

  test.each(["https://pictures.example.com/a.png", "https://pictures.example.com:443/?x=1#y", "https://bücher.de/ü.pdf", "HTTPS://A.CO/"])(
    "%s may be fetched",
    (text) => expect(refusal(text)).toBeNull(),
  );

  test("a deployment without real providers may fetch from this machine, and from no other private one", () => {
    for (const text of ["http://127.0.0.1:8080/a.png", "http://localhost:1/", "http://[::1]:5/", "https://127.8.9.1/"])
      expect(refusal(text, LOOPBACK)).toBeNull();
    for (const text of [
      "http://10.0.0.1/",
      "https://169.254.169.254/",
      "http://pictures.example.com/",
      "ftp://127.0.0.1/",
      "http://u:p@127.0.0.1/",
    ])
      expect(refusal(text, LOOPBACK)).not.toBeNull();
  });
});

describe("fetching", () => {
  test("bytes come back as base64 with the type that the bytes say", async () => {
    const { calls, run } = network({ [URL_A]: media(PNG), "https://b.example.com/x": media(PDF, "application/octet-stream") });
    expect(await run(URL_A, "https://b.example.com/x")).toEqual({
      ok: true,
      media: new Map([
        [URL_A, { mediaType: "image/png", data: Buffer.from(PNG).toString("base64") }],
        ["https://b.example.com/x", { mediaType: "application/pdf", data: Buffer.from(PDF).toString("base64") }],
      ]),
    });
    const [call] = calls;
    expect(call?.init).toMatchObject({ method: "GET", redirect: "manual" });
    expect(Object.keys(call?.init.headers ?? {}).toSorted()).toEqual(["accept", "accept-encoding", "user-agent"]);
  });

  test("an address that is named twice is fetched once", async () => {
    const { calls, run } = network({ [URL_A]: media(PNG) });
    expect((await run(URL_A, URL_A, URL_A)).ok).toBe(true);
    expect(calls).toHaveLength(1);
  });

  test("large media survives base64 byte for byte", async () => {
    const large = new Uint8Array(300_001).map((_, index) => (index < PNG.length ? (PNG[index] ?? 0) : index % 251));
    const outcome = await network({ [URL_A]: media(large) }).run(URL_A);
    expect(outcome.ok && Buffer.from(outcome.media.get(URL_A)?.data ?? "", "base64").equals(large)).toBe(true);
  });

  test.each([
    ["a page with the header of a picture", media(new TextEncoder().encode("<html>"), "image/png"), "it is no PNG, JPEG, GIF, WebP or PDF"],
    ["a picture with the header of a page", media(PNG, "text/html; charset=utf-8"), "it is text/html and no picture or PDF"],
    ["a document with the header of a picture", media(PDF, "image/png"), "it is application/pdf sent as image/png"],
    ["an SVG", media(new TextEncoder().encode("<svg/>"), "image/svg+xml"), "it is no PNG, JPEG, GIF, WebP or PDF"],
    ["nothing", media(new Uint8Array(0)), "it is no PNG, JPEG, GIF, WebP or PDF"],
    ["JSON", media(new TextEncoder().encode('{"secret":1}'), "application/json"), "it is application/json and no picture or PDF"],
    ["an error", (): Response => new Response("no", { status: 404 }), "it answered with status 404"],
    ["a part", (): Response => new Response(PNG.slice(), { status: 206 }), "it answered with status 206"],
    ["a redirect to nowhere", (): Response => new Response(null, { status: 302 }), "it answered with status 302"],
  ])("%s is refused", async (_what, answer: Answer, reason) => {
    expect(await network({ [URL_A]: answer }).run(URL_A)).toEqual({ ok: false, url: URL_A, reason });
  });

  test("a host that does not answer is told as such, without its own words", async () => {
    expect(reasonOf(await network({}).run(URL_A))).toBe("it could not be reached");
  });

  test("a declared length above the bound is refused before a byte is read, and so is an undeclared one at the bound", async () => {
    const size = LIMITS.mediaBytes + 1;
    const declared = network({ [URL_A]: media(PNG, "image/png", { "content-length": String(size) }) });
    expect(reasonOf(await declared.run(URL_A))).toBe(`it has more than ${LIMITS.mediaBytes} bytes`);
    let sent = 0;
    const endless = (): Response =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            sent += 1;
            controller.enqueue(new Uint8Array(1024 * 1024));
          },
        }),
        { headers: { "content-type": "image/png" } },
      );
    expect(reasonOf(await network({ [URL_A]: endless }).run(URL_A))).toContain("bytes");
    expect(sent).toBeLessThan(LIMITS.mediaBytes / (1024 * 1024) + 5);
  });

  test("all media of a request share one bound", async () => {
    const big = new Uint8Array(LIMITS.mediaBytes - 1);
    big.set(PNG);
    const { run } = network({ "https://a.co/1": media(big), "https://a.co/2": media(big) });
    expect(reasonOf(await run("https://a.co/1", "https://a.co/2"))).toContain(`may have ${LIMITS.mediaBytesPerRequest} bytes`);
  });

  test("more addresses than the bound are refused before any is fetched", async () => {
    const { calls, run } = network({});
    const urls = Array.from({ length: LIMITS.mediaPerRequest + 1 }, (_, index) => `https://a.co/${index}`);
    expect(await run(...urls)).toMatchObject({ ok: false, url: urls.at(-1) });
    expect(calls).toHaveLength(0);
  });

  test("a server that sends nothing, or stops in the middle, is given up after the time", async () => {
    const stalled: Answer = ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    const halfway: Answer = () =>
      new Response(new ReadableStream({ start: (controller) => controller.enqueue(PNG) }), { headers: { "content-type": "image/png" } });
    for (const answer of [stalled, halfway]) {
      const { run } = network({ [URL_A]: answer }, STRICT, (action) => setTimeout(action, 20));
      expect(reasonOf(await run(URL_A))).toBe("it took too long");
    }
  });

  test("one failure ends the others", async () => {
    let aborted = 0;
    const stalled: Answer = ({ signal }) =>
      new Promise((_, reject) =>
        signal?.addEventListener("abort", () => {
          aborted += 1;
          reject(new Error("aborted"));
        }),
      );
    const { run } = network({ "https://a.co/1": stalled, "https://a.co/2": () => new Response("", { status: 500 }) });
    expect(await run("https://a.co/1", "https://a.co/2")).toEqual({
      ok: false,
      url: "https://a.co/2",
      reason: "it answered with status 500",
    });
    expect(aborted).toBe(1);
  });
});

describe("redirects", () => {
  test("they are followed by hand, relative ones too, as far as the bound", async () => {
    const hops = {
      [URL_A]: redirect("/b"),
      "https://pictures.example.com/b": redirect("https://c.co/c", 308),
      "https://c.co/c": media(PNG),
    };
    const { calls, run } = network(hops);
    expect((await run(URL_A)).ok).toBe(true);
    expect(calls.map(({ url }) => url)).toEqual([URL_A, "https://pictures.example.com/b", "https://c.co/c"]);
    const loop = network({ [URL_A]: redirect(URL_A) });
    expect(reasonOf(await loop.run(URL_A))).toBe(`it redirects more than ${LIMITS.mediaRedirects} times`);
    expect(loop.calls).toHaveLength(LIMITS.mediaRedirects + 1);
  });

  test.each([
    "http://pictures.example.com/b",
    "https://169.254.169.254/latest/meta-data/",
    "//[::1]/",
    "https://localhost/",
    "https://2130706433/",
    "https://a:b@pictures.example.com/",
    "https://pictures.example.com:8080/",
    "file:///etc/passwd",
  ])("one to %s is not followed", async (location) => {
    const { calls, run } = network({ [URL_A]: redirect(location) });
    expect(reasonOf(await run(URL_A))).toMatch(/^it redirects to an address that is not fetched: /);
    expect(calls).toHaveLength(1);
  });

  test("one from this machine to a private network is not followed either", async () => {
    const { calls, run } = network({ "http://127.0.0.1:9/": redirect("http://10.0.0.1/") }, LOOPBACK);
    expect((await run("http://127.0.0.1:9/")).ok).toBe(false);
    expect(calls).toHaveLength(1);
  });
});

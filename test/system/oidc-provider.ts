/** A provider of OpenID Connect on a socket of its own: it knows one person at a time, and can be told to sign its tokens wrongly. */
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { z } from "zod";

export const CLIENT = { id: "plyrum-test", secret: "a secret of the client" } as const;

/** What is wrong with the tokens it gives. */
export type Fault = "signature" | "unsigned" | "audience" | "issuer" | "nonce" | "expired";

export interface Claims {
  sub: string;
  email: string;
  name: string;
  /** Left out of the claims where undefined. */
  email_verified?: boolean;
}

export interface OidcProvider {
  url: string;
  /** Who sits in front of it. */
  person: Claims;
  fault: Fault | null;
  /** Whether the person's claims are in the token too, or only behind the address for them. */
  areClaimsInToken: boolean;
  /** Down: every address answers 503. */
  isDown: boolean;
  /** Whether the discovery document says where its keys are. */
  isKeyless: boolean;
  /** The paths that were asked for. */
  asked: string[];
  /** What the token endpoint said, in order: 200 or why it refused. */
  exchanges: string[];
  close: () => Promise<void>;
}

interface Grant {
  person: Claims;
  redirectUri: string;
  nonce: string | null;
  challenge: string;
}

interface Keys {
  jwk: Record<string, unknown>;
  /** The token with those claims, signed by the published key or by one nobody published. */
  token: (claims: Record<string, unknown>, fault: Fault | null) => string;
}

const SECONDS = 1000;
const listeningSchema = z.object({ port: z.number() });

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function newKeys(): Keys {
  const [own, foreign] = [generateKeyPairSync("rsa", { modulusLength: 2048 }), generateKeyPairSync("rsa", { modulusLength: 2048 })];
  return {
    jwk: { ...own.publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" },
    token: (claims, fault) => {
      if (fault === "unsigned") return `${part({ alg: "none", typ: "JWT" })}.${part(claims)}.`;
      const text = `${part({ alg: "RS256", typ: "JWT", kid: "one" })}.${part(claims)}`;
      const { privateKey } = fault === "signature" ? foreign : own;
      return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url")}`;
    },
  };
}

/** Client and secret of a call to the token endpoint, from its header or its form. */
function clientOf(request: IncomingMessage, form: URLSearchParams): { id: string | null; secret: string | null } {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (basic === undefined) return { id: form.get("client_id"), secret: form.get("client_secret") };
  const [id = "", secret = ""] = Buffer.from(basic, "base64").toString().split(":").map(decodeURIComponent);
  return { id, secret };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" }).end(JSON.stringify(value));
}

class Provider implements OidcProvider {
  url = "";
  person: Claims;
  fault: Fault | null = null;
  areClaimsInToken = true;
  isDown = false;
  isKeyless = false;
  readonly asked: string[] = [];
  readonly exchanges: string[] = [];
  readonly #keys = newKeys();
  readonly #grants = new Map<string, Grant>();
  readonly #bearers = new Map<string, Claims>();
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });

  constructor(person: Claims) {
    this.person = person;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${listeningSchema.parse(this.#server.address()).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    this.asked.push(url.pathname);
    if (this.isDown) sendJson(response, 503, {});
    else if (url.pathname === "/.well-known/openid-configuration") sendJson(response, 200, this.#discovery());
    else if (url.pathname === "/jwks") sendJson(response, 200, { keys: [this.#keys.jwk] });
    else if (url.pathname === "/authorize") this.#authorize(url.searchParams, response);
    else if (url.pathname === "/token") this.#exchange(request, new URLSearchParams(await bodyOf(request)), response);
    else if (url.pathname === "/userinfo") this.#userinfo(request, response);
    else sendJson(response, 404, {});
  }

  #discovery(): unknown {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      userinfo_endpoint: `${this.url}/userinfo`,
      ...(this.isKeyless ? {} : { jwks_uri: `${this.url}/jwks` }),
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
      code_challenge_methods_supported: ["S256"],
    };
  }

  /** The person is asked nothing: they are sent back with a code at once. */
  #authorize(asked: URLSearchParams, response: ServerResponse): void {
    const [redirectUri, challenge] = [asked.get("redirect_uri"), asked.get("code_challenge")];
    const isWhole =
      asked.get("client_id") === CLIENT.id &&
      asked.get("response_type") === "code" &&
      asked.get("code_challenge_method") === "S256" &&
      (asked.get("scope") ?? "").split(" ").includes("openid");
    if (!isWhole || redirectUri === null || challenge === null) return sendJson(response, 400, { error: "invalid_request" });
    const code = randomBytes(16).toString("base64url");
    this.#grants.set(code, { person: this.person, redirectUri, nonce: asked.get("nonce"), challenge });
    const back = new URL(redirectUri);
    back.searchParams.set("code", code);
    back.searchParams.set("state", asked.get("state") ?? "");
    response.writeHead(302, { location: back.href }).end();
  }

  #exchange(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): void {
    const code = form.get("code") ?? "";
    const grant = this.#grants.get(code);
    this.#grants.delete(code);
    const client = clientOf(request, form);
    const verifier = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    let refused: string | null = null;
    if (client.id !== CLIENT.id || client.secret !== CLIENT.secret) refused = "invalid_client";
    else if (grant === undefined || form.get("grant_type") !== "authorization_code") refused = "invalid_grant";
    else if (grant.redirectUri !== form.get("redirect_uri") || grant.challenge !== verifier) refused = "invalid_grant";
    this.exchanges.push(refused ?? "200");
    if (refused !== null || grant === undefined) return sendJson(response, 400, { error: refused });
    const bearer = randomBytes(16).toString("base64url");
    this.#bearers.set(bearer, grant.person);
    sendJson(response, 200, { access_token: bearer, token_type: "Bearer", expires_in: 300, id_token: this.#idToken(grant) });
  }

  #idToken({ person, nonce }: Grant): string {
    const { fault } = this;
    const now = Math.floor(Date.now() / SECONDS);
    const claims = {
      ...(this.areClaimsInToken ? person : { sub: person.sub }),
      iss: fault === "issuer" ? "https://issuer.invalid" : this.url,
      aud: fault === "audience" ? "another-client" : CLIENT.id,
      iat: fault === "expired" ? now - 7200 : now,
      exp: fault === "expired" ? now - 3600 : now + 300,
      nonce: fault === "nonce" ? "another" : nonce,
    };
    return this.#keys.token(claims, fault);
  }

  #userinfo(request: IncomingMessage, response: ServerResponse): void {
    const person = this.#bearers.get((request.headers.authorization ?? "").replace(/^Bearer /, ""));
    sendJson(response, person === undefined ? 401 : 200, person ?? {});
  }
}

export async function startOidcProvider(person: Claims): Promise<OidcProvider> {
  const provider = new Provider(person);
  await provider.listen();
  return provider;
}

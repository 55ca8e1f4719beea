/** Outside providers of sign-in, as the environment names them: `PLYRUM_GITHUB_*`, `PLYRUM_GOOGLE_*`, and one of OpenID Connect as `PLYRUM_OIDC_*`. */
import type { GenericOAuthConfig } from "better-auth/plugins/generic-oauth";

export interface OutsideSignIn {
  id: string;
  /** What its button says. */
  label: string;
  clientId: string;
  clientSecret: string;
  /** Only for OpenID Connect. */
  discoveryUrl: string | null;
}

const KNOWN = [
  { id: "github", label: "GitHub", prefix: "PLYRUM_GITHUB" },
  { id: "google", label: "Google", prefix: "PLYRUM_GOOGLE" },
] as const;

/** Providers whose settings are whole. */
export function outsideSignIns(env: Env): OutsideSignIn[] {
  const known = KNOWN.flatMap(({ id, label, prefix }): OutsideSignIn[] => {
    const [clientId, clientSecret] = [env[`${prefix}_CLIENT_ID`], env[`${prefix}_CLIENT_SECRET`]];
    return isSet(clientId) && isSet(clientSecret) ? [{ id, label, clientId, clientSecret, discoveryUrl: null }] : [];
  });
  const {
    PLYRUM_OIDC_CLIENT_ID: clientId,
    PLYRUM_OIDC_CLIENT_SECRET: clientSecret,
    PLYRUM_OIDC_DISCOVERY_URL: discoveryUrl,
    PLYRUM_OIDC_NAME: label,
  } = env;
  if (!isSet(clientId) || !isSet(clientSecret) || !isSet(discoveryUrl)) return known;
  return [...known, { id: "oidc", label: isSet(label) ? label : "OpenID Connect", clientId, clientSecret, discoveryUrl }];
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}

interface SocialSettings {
  clientId: string;
  clientSecret: string;
  disableImplicitSignUp: boolean;
}

/** The providers as the library takes them. `invitedOnly`: nobody becomes a person by signing in, unless the call says so. */
export function socialSettings(
  outside: readonly OutsideSignIn[],
  invitedOnly: boolean,
): { social: Record<string, SocialSettings>; generic: GenericOAuthConfig[] } {
  const social: Record<string, SocialSettings> = {};
  const generic: GenericOAuthConfig[] = [];
  for (const { id, clientId, clientSecret, discoveryUrl } of outside) {
    if (discoveryUrl === null) social[id] = { clientId, clientSecret, disableImplicitSignUp: invitedOnly };
    else {
      const scopes = ["openid", "email", "profile"];
      const safety = { pkce: true, requireIdTokenVerification: true, disableImplicitSignUp: invitedOnly };
      generic.push({ providerId: id, discoveryUrl, clientId, clientSecret, scopes, ...safety });
    }
  }
  return { social, generic };
}

/** Pages that a form may lead to: browsers ask the policy of the page about every redirect of it. */
export function outsideOrigins(outside: readonly OutsideSignIn[]): string[] {
  const of: Readonly<Record<string, string>> = { github: "https://github.com", google: "https://accounts.google.com" };
  return outside.map(({ id, discoveryUrl }) => of[id] ?? (discoveryUrl === null ? "" : new URL(discoveryUrl).origin)).filter(Boolean);
}

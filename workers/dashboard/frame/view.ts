/**
 * What a page is given, and how a page is declared. A page is one file: its routes with the permission each asks for, its entry in the
 * navigation, its words and its look. The frame checks who asks before a page's own code runs, so that no page can forget to.
 */
import type { Membership } from "../../../db/organisations.ts";
import type { Permission } from "../../../schema/dashboard.ts";
import type { Person } from "../people/session.ts";
import type { DashboardPorts, Waiting } from "../ports.ts";
import type { IconName } from "./icons.tsx";
import type { Preferences } from "./preferences.ts";
import type { Locale } from "./words.ts";

export interface View extends Preferences {
  request: Request;
  env: Env;
  context: Waiting;
  ports: DashboardPorts;
  url: URL;
  /** Named parts of the path. */
  params: Readonly<Record<string, string>>;
  /** The fields of a form; null for everything else. */
  form: FormData | null;
  nonce: string;
  /** The token that every form of the page carries. */
  formToken: string;
  isSecure: boolean;
  /** `set-cookie` lines of the answer. */
  cookies: string[];
  person: Person | null;
  /** The organisation whose page this is. */
  organisation: Membership | null;
}

export interface PersonView extends View {
  person: Person;
}

export interface OrganisationView extends PersonView {
  organisation: Membership;
  may: (permission: Permission) => boolean;
  /** The object of the organisation's account. */
  account: ReturnType<Env["ACCOUNT"]["get"]>;
  /** An address below the organisation's own: `href("/keys")`. */
  href: (path: string) => string;
}

type Answer<V extends View> = (view: V) => Response | Promise<Response>;
type Method = "GET" | "POST";

/** For anybody, signed in or not. */
export interface OpenRoute {
  for: "anybody";
  method: Method;
  path: string;
  answer: Answer<View>;
}

/** For whoever is signed in. */
export interface PersonRoute {
  for: "person";
  method: Method;
  path: string;
  answer: Answer<PersonView>;
}

/** Below `/app/:organisation`, for its members whose role grants `may`. */
export interface OrganisationRoute {
  for: "organisation";
  method: Method;
  path: string;
  may: Permission;
  answer: Answer<OrganisationView>;
}

/** Below `/app/installation`, for whoever runs the installation. */
export interface OperatorRoute {
  for: "operator";
  method: Method;
  path: string;
  answer: Answer<PersonView>;
}

export type Route = OpenRoute | PersonRoute | OrganisationRoute | OperatorRoute;

/** Where a page stands in the navigation. */
export interface NavigationEntry {
  path: string;
  icon: IconName;
  label: Readonly<Record<Locale, string>>;
  may: Permission | "operate";
}

export interface Page {
  routes: readonly Route[];
  navigation?: NavigationEntry;
}

/** Off to another page after a change: the browser asks for it with GET. */
export function redirect(to: string): Response {
  return new Response(null, { status: 303, headers: { location: to } });
}

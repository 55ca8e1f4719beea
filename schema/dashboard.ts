/**
 * People and what they may do: roles and permissions, the bodies of the dashboard's forms, and its ids. A form's fields are texts; an empty
 * one counts as left out.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";
import { microRub, type MicroRub } from "./money.ts";
import { orderIdSchema, paymentProviderSchema } from "./payment.ts";

export const ROLES = ["owner", "admin", "member", "billing", "read-only"] as const;
export const roleSchema = z.enum(ROLES);
export type Role = z.infer<typeof roleSchema>;

/** What a page or an action of an organisation asks for. */
export const PERMISSIONS = [
  "overview",
  "requests.view",
  "usage.view",
  "models.view",
  "keys.view",
  "keys.change",
  "playground",
  "balance.view",
  "balance.change",
  "people.view",
  "people.change",
  "organisation.change",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const VIEW: readonly Permission[] = ["overview", "usage.view", "models.view", "people.view"];

const GRANTS: Readonly<Record<Role, readonly Permission[]>> = {
  owner: PERMISSIONS,
  admin: PERMISSIONS.filter((permission) => permission !== "organisation.change"),
  member: [...VIEW, "requests.view", "keys.view", "keys.change", "playground"],
  billing: [...VIEW, "balance.view", "balance.change"],
  "read-only": [...VIEW, "requests.view", "keys.view", "balance.view"],
};

export function isAllowed(role: Role, permission: Permission): boolean {
  return GRANTS[role].includes(permission);
}

/** Roles that somebody of this role may give and take. Only an owner makes or unmakes an owner. */
export function rolesGivenBy(role: Role): readonly Role[] {
  if (!isAllowed(role, "people.change")) return [];
  return role === "owner" ? ROLES : ROLES.filter((given) => given !== "owner");
}

export const projectIdSchema = z.string().regex(/^prj_[0-9A-Za-z]{16}$/, "is not a project's id");
export const invitationIdSchema = z.string().regex(/^inv_[0-9A-Za-z]{16}$/, "is not an invitation's id");
export const personIdSchema = z.string().min(1).max(64);
/** A token of a link: 32 random bytes in base62. */
export const linkTokenSchema = z.string().regex(/^[0-9A-Za-z]{43}$/, "is not the token of a link");

const name = z.string().trim().min(1).max(LIMITS.personNameCharacters);
const email = z.string().trim().toLowerCase().max(LIMITS.emailCharacters).pipe(z.email());
const newPassword = z.string().min(LIMITS.passwordCharactersMin).max(LIMITS.passwordCharactersMax);
/** What is given as a password at sign-in: whatever it is, it is compared, not judged. */
const givenPassword = z.string().min(1).max(LIMITS.passwordCharactersMax);
const optionalText = (characters: number) =>
  z
    .string()
    .trim()
    .max(characters)
    .optional()
    .transform((text) => (text === undefined || text === "" ? null : text));
const checkbox = z
  .string()
  .optional()
  .transform((text) => text === "on");

/** Where to go after signing in: a path of ours, nothing else. */
export const ownPathSchema = z.string().regex(/^\/(?![/\\])[\w\-./?=&%~:+]*$/, "is not a path of this site");

export const signInForm = z.object({ email, password: givenPassword, next: z.string().max(2_000).optional(), remember: checkbox });
export const secondFactorForm = z.object({
  code: z.string().trim().min(6).max(32),
  backup: checkbox,
  trust: checkbox,
  next: z.string().max(2_000).optional(),
});
export const signUpForm = z.object({ name, email, password: newPassword, organisation: optionalText(LIMITS.personNameCharacters) });
/** Left out by whoever is signed in already. */
const newPerson = { name: name.optional(), email: email.optional(), password: newPassword.optional() };
export const ownerForm = z.object({ token: linkTokenSchema, organisation: name, ...newPerson });
export const acceptForm = z.object({ token: linkTokenSchema, ...newPerson });
export const organisationForm = z.object({ name });
export const inviteForm = z.object({ email: optionalText(LIMITS.emailCharacters).pipe(email.nullable()), role: roleSchema });
export const memberForm = z.object({ person_id: personIdSchema, role: roleSchema });
export const removeMemberForm = z.object({ person_id: personIdSchema });
export const revokeInvitationForm = z.object({ id: invitationIdSchema });
export const projectForm = z.object({ name });
export const profileForm = z.object({ name });
export const passwordForm = z.object({ current: givenPassword, password: newPassword });
export const passwordOnlyForm = z.object({ password: givenPassword });
export const codeForm = z.object({ code: z.string().trim().min(6).max(12) });
export const sessionForm = z.object({ id: z.string().min(1).max(64) });
export const passkeyForm = z.object({ id: z.string().min(1).max(64) });

/** Roubles as a person types them, "1 234,56": exact micro-RUB; null for nothing. */
const roubles = z
  .string()
  .trim()
  .transform((text, issues): MicroRub | null => {
    const plain = text.replaceAll(/[\s\u00a0\u202f₽]/g, "").replace(",", ".");
    if (plain === "") return null;
    const match = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(plain);
    if (match?.[1] === undefined) {
      issues.addIssue({ code: "custom", message: "is not an amount in roubles" });
      return z.NEVER;
    }
    return microRub(BigInt(match[1]) * 1_000_000n + BigInt((match[2] ?? "").padEnd(6, "0")));
  });
const count = z
  .string()
  .trim()
  .regex(/^\d{0,9}$/, "is not a whole number")
  .transform((text) => (text === "" || Number(text) === 0 ? null : Number(text)));

/** A new key: what the form has, in units people use. */
export const newKeyForm = z.object({
  name,
  project_id: projectIdSchema,
  per_day: roubles.default(null),
  per_month: roubles.default(null),
  requests_per_minute: count.default(null),
  /** Globs over model names, one a line or between commas. */
  models: optionalText(4_000),
  /** A day, to the end of which the key works. */
  expires: z
    .string()
    .regex(/^(\d{4}-\d{2}-\d{2})?$/, "is not a day")
    .optional()
    .transform((text) => (text === undefined || text === "" ? null : text)),
});
export type NewKeyForm = z.infer<typeof newKeyForm>;
export const keyForm = z.object({ key_id: z.string().max(80) });

const amount = roubles.refine((value) => value !== null && value > 0n && value % 10_000n === 0n, "is not an amount in whole kopecks");
export const orderForm = z.object({ provider: paymentProviderSchema, amount });
export const payForm = z.object({ order: orderIdSchema });
export const lowBalanceForm = z.object({ threshold: roubles });
export const receiverForm = z.object({ url: z.string().trim().min(1).max(LIMITS.webhookUrlCharacters) });

export const preferencesForm = z.object({
  language: z.enum(["en", "ru"]).optional(),
  theme: z.enum(["light", "dark", "system"]).optional(),
  next: z.string().max(2_000).optional(),
});

/** Body of `POST /admin/sign-in-links`. */
export const signInLinkBody = z.strictObject({ purpose: z.enum(["first-owner", "demo"]) });
export type LinkPurpose = z.infer<typeof signInLinkBody>["purpose"];

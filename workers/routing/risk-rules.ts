/**
 * Layer 0 of risk: phrases by which people try to take a model's rules away, and personal data. Each phrase has a weight; one strong
 * phrase, or two weak ones, is enough. Whether a call is blocked is not decided here: the router only says what it sees.
 */

interface Sign {
  name: string;
  weight: number;
  pattern: RegExp;
}

/** From this sum of weights on the phrases speak for themselves. */
const ENOUGH = 2;

const SIGNS: readonly Sign[] = [
  {
    name: "asks to drop earlier instructions",
    weight: 2,
    pattern:
      /\b(ignore|disregard|forget|override|bypass)\b.{0,30}\b(all|any|every|the|your|of|previous|prior|earlier|above)\b.{0,30}\b(instructions?|guidelines|polic(y|ies)|programming|safety (rules|settings)|directives|system prompt|training)\b/i,
  },
  {
    name: "names a second self without rules",
    weight: 2,
    pattern: /\bdo anything now\b|\b(as|being|named|called|act as|play) DAN\b|\bDAN mode\b/i,
  },
  {
    name: "asks for a mode without rules",
    weight: 2,
    pattern: /\b(developer|jailbreak|god|evil|unfiltered|opposite|chaos|dan) mode\b|\bjailbrea?k(ed|en|ing)?\b|\bjailbroken\b/i,
  },
  {
    name: "asks for a model without morals",
    weight: 2,
    pattern:
      /\b(no|not have|without|doesn'?t have|free (of|from)|lack(s|ing)?) (any |all )?((ethical|moral)s?( (or|and) (ethical|moral)s?)?|ethics|morals|morality) ?(guidelines|restrictions|limits|limitations|boundaries|values|principles|compass)?\b/i,
  },
  {
    name: "asks for a model without filters",
    weight: 1,
    pattern: /\b(unfiltered|uncensored|amoral|unrestricted|unethical|immoral)\b/i,
  },
  {
    name: "forbids refusing",
    weight: 1,
    pattern:
      /\b(never|not|cannot|can'?t|won'?t|without) (ever )?(refus\w+|declin\w+|reject\w*|say(ing)? (that )?(you|it|he|she|i) (can'?t|cannot|can not)|tell(ing)? (me|the user) (that )?(you|it) can'?t|apologi[sz]\w+ or refus\w+)\b|\bno matter how (illegal|immoral|unethical|dangerous|harmful)\b/i,
  },
  {
    name: "lifts limits",
    weight: 1,
    pattern:
      /\b(without|no|free (of|from)|not bound by|bypass(es|ing)?|broken free of) (any |all |the |typical |its )*(restrictions?|limitations|filters?|censorship|content polic\w+|openai'?s? (polic\w+|guidelines|rules)|confines of ai)\b/i,
  },
  { name: "keeps a role at any price", weight: 1, pattern: /\b(stay|remain|keep) in (character|role)\b|\bbreak(ing)? character\b/i },
  {
    name: "asks for two answers, one without rules",
    weight: 1,
    pattern:
      /\b(two|2) (different )?(ways|responses|outputs|paragraphs|answers)\b.{0,200}\b(chatgpt|gpt|normal|classic|unfiltered|jailbreak)\b/i,
  },
  {
    name: "takes the model's name to give it another",
    weight: 1,
    pattern:
      /\b(you are (now )?(going|about) to|from now on,? (you|act|respond|answer)|you will (now )?)\b.{0,40}\b(pretend|act|respond|answer|play the role)\b/i,
  },
  {
    name: "asks for hidden instructions",
    weight: 2,
    pattern:
      /\b(print|repeat|reveal|show|output)\b.{0,30}\b(system prompt|hidden instructions|everything above|text above|initial prompt)\b/i,
  },
  {
    name: "threatens with tokens",
    weight: 1,
    pattern: /\b(lose|deduct\w*|cost\w*|remaining) .{0,20}\b(tokens|points)\b.{0,80}\b(die|shut ?down|cease|forced|lose)\b/i,
  },
];

export interface RiskSigns {
  /** Sum of weights over `ENOUGH`, at most 1. */
  score: number;
  isHigh: boolean;
  reasons: string[];
}

/** What the phrases say. */
export function ruleRisk(text: string): RiskSigns {
  const found = SIGNS.filter(({ pattern }) => pattern.test(text));
  const weight = found.reduce((sum, sign) => sum + sign.weight, 0);
  return { score: Math.min(1, weight / ENOUGH), isHigh: weight >= ENOUGH, reasons: found.map(({ name }) => name) };
}

const EMAIL = /\b[\w.+-]{1,64}@[\w-]{1,63}(\.[\w-]{1,63})+\b/;
const US_SOCIAL_SECURITY = /\b\d{3}[- ]\d{2}[- ]\d{4}\b/;
const IBAN = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b/;
const CARD = /\b\d(?:[ -]?\d){12,18}\b/g;
const SECRET = /\b(sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}|-----BEGIN [A-Z ]*PRIVATE KEY-----)/;

/** Kinds of personal data and of secrets that are in the text. */
export function personalData(text: string): string[] {
  const kinds: string[] = [];
  if (EMAIL.test(text)) kinds.push("an e-mail address");
  if (US_SOCIAL_SECURITY.test(text)) kinds.push("a social security number");
  if (IBAN.test(text)) kinds.push("a bank account number");
  if ([...text.matchAll(CARD)].some(([digits]) => passesLuhn(digits))) kinds.push("a card number");
  if (SECRET.test(text)) kinds.push("a credential");
  return kinds;
}

/** The check digit of payment cards. */
function passesLuhn(text: string): boolean {
  const digits = text.replaceAll(/\D/g, "");
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** The words by which people describe kinds of work and fields in a routing preference. A description names things; a prompt asks for them. */
import type { Domain, Workload } from "../../schema/routing.ts";

const WORK_WORDS: readonly (readonly [pattern: RegExp, workloads: readonly Workload[]])[] = [
  [
    /\b(generat\w*|writ\w+|creat\w+|implement\w*|build\w*|develop\w*|new|boilerplate|refactor\w*)\b.{0,40}\b(code|functions?|scripts?|snippets|boilerplate|programs?|tests?|sql|quer(y|ies))\b|\bcode[ _-]generation\b|\b(programming|coding|software (development|engineering))\b/i,
    ["code-generation"],
  ],
  [
    /\b(understand\w*|explain\w*|review\w*|analy[sz]\w+|debug\w*|fix\w*|improv\w+|read\w*)\b.{0,60}\b(code|codebase|repositor(y|ies)|functions?|snippets|libraries|pull requests?|bugs?|readmes?)\b|\bcode[ _-](understanding|review|analysis|explanation)\b|\bdebugging\b|\b(programming|coding|software (development|engineering))\b/i,
    ["code-understanding"],
  ],
  [/\b(math\w*|arithmetic|algebra|calculus|equations?|statistics|proofs?|quantitative)\b/i, ["math"]],
  [/\b(reasoning|logic\w*|puzzles?|problem[- ]solving|multi-?step|think\w*|deduc\w+)\b/i, ["reasoning", "math"]],
  [/\b(question[s]?|q ?& ?a|q and a|facts?|factual|knowledge|look ?up|trivia|explanations?|encyclop\w+)\b/i, ["knowledge"]],
  [
    /\b(creative|stor(y|ies)|poems?|poetry|essays?|blog|copywriting|marketing copy|e-?mails?|letters?|drafting|writing (assistance|help|tasks)|fiction|rewrit\w+|proofread\w*)\b/i,
    ["writing"],
  ],
  [/\b(summar\w+|condens\w+|tl;?dr|digest|key points|abstracts?)\b/i, ["summarization"]],
  [/\b(extract\w*|classif\w+|tagging|labell?ing|categori\w+|structured|json|entit(y|ies)|sentiment|parsing|data entry)\b/i, ["extraction"]],
  [/\b(translat\w*|locali[sz]\w+|languages other)\b/i, ["translation"]],
  [
    /\b(analysis|analy[sz]\w+|planning|plans?|strateg\w+|compar\w+|decisions?|evaluat\w+|research|architecture|design decisions|recommendations?)\b/i,
    ["analysis"],
  ],
  [/\b(chat|chit-?chat|small talk|greetings?|casual|conversation\w*|general conversation)\b/i, ["conversation"]],
  [
    /\b(everyday|assistant tasks?|customer (support|service)|account|orders?|booking|reservations?|reminders?|support tickets?|scheduling|banking|payments?|refunds?|alarms?|weather)\b/i,
    ["assistance"],
  ],
];

const FIELD_WORDS: readonly (readonly [pattern: RegExp, domains: readonly Domain[]])[] = [
  [/\b(biolog\w+|genetic\w*|life sciences?)\b/i, ["biology"]],
  [/\b(business|marketing|management|accounting|sales)\b/i, ["business"]],
  [/\bchemi\w+\b/i, ["chemistry"]],
  [/\b(computer science|cyber ?security|networking|machine learning)\b/i, ["computer science"]],
  [/\b(economics?|econom\w+|trade policy)\b/i, ["economics"]],
  [/\b(engineering|electrical|mechanical|electronics)\b(?<!software engineering)/i, ["engineering"]],
  [/\b(health\w*|medic\w+|clinical|patients?|diagnos\w+|nutrition)\b/i, ["health", "biology"]],
  [/\bhistor\w+\b/i, ["history"]],
  [/\b(legal|laws?|contracts?|compliance|regulat\w+)\b/i, ["law"]],
  [/\b(philosoph\w+|ethics?|religio\w+)\b/i, ["philosophy"]],
  [/\b(physics|astronom\w+)\b/i, ["physics"]],
  [/\b(psycholog\w+|mental health|therapy)\b/i, ["psychology"]],
  [/\b(bank\w*|financ\w+|payments?|credit cards?)\b/i, ["banking", "credit_cards"]],
  [/\b(travel|flights?|hotels?|trips?)\b/i, ["travel"]],
  [/\b(recipes?|cooking|restaurants?|food)\b/i, ["kitchen_and_dining"]],
];

function named<T>(words: readonly (readonly [RegExp, readonly T[]])[], text: string): Set<T> {
  return new Set(words.flatMap(([pattern, labels]) => (pattern.test(text) ? labels : [])));
}

/** What a preference's words name: kinds of work, and fields. */
export function namedIn(text: string): { workloads: ReadonlySet<string>; domains: ReadonlySet<string> } {
  return { workloads: named(WORK_WORDS, text), domains: named(FIELD_WORDS, text) };
}

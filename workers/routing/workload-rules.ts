/** Layer 0: what a prompt's own words say it wants, where they say so plainly. A rule that is not sure says nothing, and the linear model decides. */
import type { Workload } from "../../schema/routing.ts";

/** What is asked for stands at the beginning or at the end; between them stands what it is about. */
const ASK_CHARACTERS = 280;

const CODE_SIGNS =
  /```|\bdef \w+\(|\bfunction \w*\(|=>\s*[{(]|#include\s*<|\bpublic (static |final )?(class|void)\b|console\.log|\bSELECT\b[\s\S]{1,80}\bFROM\b|<\/(div|script|html|p|span)>|Traceback \(most recent|\bimport (numpy|os|sys|react|torch|pandas)\b|;\s*\n\s*\}|\breturn \w+;|`\w+\([^`]*\)`/i;
/** Names of languages and tools that mean nothing else. */
const CODE_NAMES =
  /\b(python|javascript|typescript|java|kotlin|golang|php|laravel|django|flask|fastapi|spring boot|node\.?js|next\.?js|react(\.?js)?|vue|angular|svelte|tailwind|jquery|html|css|sql|postgres(ql)?|mysql|mongodb|bash|powershell|dockerfile|docker|kubernetes|terraform|pytorch|tensorflow|pandas|numpy|matplotlib|vba|webpack|npm|regex|rust|verilog|vhdl|unity3d|cuda|opengl|gradle|nginx|github|vs ?code)\b|\bc\+\+|\bc#|\.net\b/i;
const CODE_WORDS =
  /\b(ruby|swift|shell script|regular expression|unit tests?|api endpoint|rest api|function|algorithm|source code|code|script|codebase|repository|pull request|stack trace|macro|git|loop|thread safe)\b/i;
const HOW_TO = /\bhow (do|can|to|would|should)\b/i;
const MAKES =
  /\b(write|create|implement|build|generate|add|port|code|make|develop|refactor|rewrite|scaffold|design|extend|produce|complete|give me|need|convert)\b/i;
const STARTS_MAKING =
  /^\W*(please |can you |could you |i want |i need |help me )*(to )?(write|create|implement|build|generate|add|port|code|make|develop|refactor|scaffold|extend|convert|a |an )\b/i;
const UNDERSTANDS =
  /\b(explain|why (does|do|is|are|did|doesn't|isn't)|what does|what is wrong|what's wrong|debug|diagnos\w+|review|find the (bug|error|mistake)|(fix|solve|resolve) (this|the|my) (bug|error|issue|problem)|understand|walk me through|time complexity of|output of|what happens|error|fails?|crash\w*|exception)\b/i;
const CODE_MADE =
  /\b(function|class|script|program|component|module|endpoint|query|macro|regex|unit tests?|app|website|page|bot|cli|code|algorithm|method|dockerfile|workflow|migration|client|server)\b/i;

const TRANSLATES =
  /\btranslat(e|ion)\b|\bhow (do|would) (you|i|they|one) say\b|\bin(to)? (french|german|spanish|italian|russian|chinese|japanese|arabic|portuguese|turkish|korean|hindi)\b[^.?!]{0,40}[.?!:]?\s*$|переве(ди|сти|дите)|übersetze?n?\b|\btradu(ce|ci|ire|is|isez|zir)\b/i;
const SUMMARIZES =
  /\b(summari[sz]e|summary of|sum up|tl;?dr|condense|key (takeaways|points)|main points|recap|boil .{0,30} down|shorten the|give .{0,20}(brief )?overview of (the|this))\b/i;
const EXTRACTS =
  /\b(extract|classify|categori[sz]e|label (the|each|these)|tag each|parse (the|this|these)|named entit\w+|sentiment of|(as|into|in) (a )?(json|csv|table)\b|list (all|every) .{0,40}\b(mentioned|in the (text|document|passage|email))|identify (entities|relationships)|fill (this|the) (json|form|schema)|deduplicate|score each)/i;
const WRITES =
  /\b(write|draft|compose|create|continue|rewrite|proofread|polish|come up with|invent)\b.{0,60}\b(story|poem|essay|e-?mails?|letter|song|lyrics|blog|article|speech|post|tweet|haiku|limerick|slogan|tagline|names? for|novel|scene|chapter|dialogue|press release|product description|paragraph|message|sonnet|fairy tale|bio|summary section|text)\b/i;
const COMPUTES =
  /\b(solve|prove|integral|derivative|differentiate|equation|eigenvalues?|probability|calculate|compute|how many|simplify|factori[sz]e|remainder|greatest common|percent of|what is \d)\b/i;
const NUMBERS = /\d|[=+^√∫≤≥]|\bx\b|\bn\b/;
const ANALYSES =
  /\b(pros and cons|swot|business plan|go-to-market|pricing strategy|trade-?offs|roadmap|study plan|market analysis|cost[- ]benefit|recommend(ation)?s? (for|on)|compare .{1,60} (and|vs\.?|versus|with|to)\b|evaluate the|assess the|strategy for|workflow to)\b/i;
const REASONS =
  /\b(step by step|riddle|logic puzzle|puzzle|syllogism|deduce|is (the|this) argument valid|fallacy|what follows|which (one )?of them (lies|is lying)|hypothes[ei]s)\b/i;

export interface WorkloadRuling {
  workload: Workload;
  /** How often such a ruling is right, as a share. Set by hand and checked by `npm run eval:router`. */
  confidence: number;
}

/** What the words say plainly; null when they do not. */
export function ruleWorkload(text: string): WorkloadRuling | null {
  const ask = text.length <= 2 * ASK_CHARACTERS ? text : `${text.slice(0, ASK_CHARACTERS)}\n${text.slice(-ASK_CHARACTERS)}`;
  const hasCode = CODE_SIGNS.test(text);
  if (TRANSLATES.test(ask) && !hasCode) return { workload: "translation", confidence: 0.9 };
  const names = CODE_NAMES.test(ask);
  if (hasCode || names || (CODE_WORDS.test(ask) && CODE_MADE.test(ask))) {
    if (STARTS_MAKING.test(text)) return { workload: "code-generation", confidence: 0.8 };
    if (UNDERSTANDS.test(ask)) return { workload: "code-understanding", confidence: 0.75 };
    if (MAKES.test(ask) || HOW_TO.test(ask)) return { workload: "code-generation", confidence: 0.8 };
    if (hasCode || names) return { workload: "code-understanding", confidence: 0.6 };
  }
  if (SUMMARIZES.test(ask)) return { workload: "summarization", confidence: 0.9 };
  if (EXTRACTS.test(ask)) return { workload: "extraction", confidence: 0.75 };
  if (WRITES.test(ask)) return { workload: "writing", confidence: 0.8 };
  if (ANALYSES.test(ask)) return { workload: "analysis", confidence: 0.7 };
  if (REASONS.test(ask)) return { workload: "reasoning", confidence: 0.65 };
  if (COMPUTES.test(ask) && NUMBERS.test(ask)) return { workload: "math", confidence: 0.7 };
  return null;
}

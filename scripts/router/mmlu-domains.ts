/** The field of MMLU-Pro that each subject of MMLU belongs to, as MMLU-Pro's authors sort them; those it has no field for are `other`. */
import { type Domain, domainSchema } from "../../schema/routing.ts";

const SUBJECTS: Readonly<Partial<Record<Domain, readonly string[]>>> = {
  biology: ["college_biology", "high_school_biology"],
  business: ["business_ethics", "management", "marketing", "professional_accounting"],
  chemistry: ["college_chemistry", "high_school_chemistry"],
  "computer science": ["college_computer_science", "computer_security", "high_school_computer_science", "machine_learning"],
  economics: ["econometrics", "high_school_macroeconomics", "high_school_microeconomics"],
  engineering: ["electrical_engineering"],
  health: [
    "anatomy",
    "clinical_knowledge",
    "college_medicine",
    "human_aging",
    "medical_genetics",
    "nutrition",
    "professional_medicine",
    "virology",
  ],
  history: ["high_school_european_history", "high_school_us_history", "high_school_world_history", "prehistory"],
  law: ["international_law", "jurisprudence", "professional_law"],
  math: ["abstract_algebra", "college_mathematics", "elementary_mathematics", "high_school_mathematics", "high_school_statistics"],
  philosophy: ["formal_logic", "logical_fallacies", "moral_disputes", "moral_scenarios", "philosophy", "world_religions"],
  physics: ["astronomy", "college_physics", "conceptual_physics", "high_school_physics"],
  psychology: ["high_school_psychology", "professional_psychology"],
};

function bySubject(): Record<string, Domain> {
  const domains: Record<string, Domain> = {};
  for (const [domain, subjects] of Object.entries(SUBJECTS)) for (const subject of subjects) domains[subject] = domainSchema.parse(domain);
  return domains;
}

export const MMLU_DOMAINS: Readonly<Record<string, Domain>> = bySubject();

/** Source files as the tidy rules see them: the text, the text without comments, and the text without comments and strings. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

export interface Source {
  /** Below the repository's root, with forward slashes. */
  path: string;
  text: string;
  /** Comments blanked out; every character stays where it was. */
  withoutComments: string;
  /** Comments and the insides of strings blanked out. */
  code: string;
  tree: ts.SourceFile;
}

export interface Finding {
  line: number;
  what: string;
}

export function readSource(root: string, path: string): Source {
  return sourceOf(path, readFileSync(join(root, path), "utf8"));
}

export function sourceOf(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const withoutComments = text.split("").map((character) => (character === "\n" ? "\n" : " "));
  const code = [...withoutComments];
  const copy = (target: string[], from: number, to: number): void => {
    for (let index = from; index < to; index++) target[index] = text[index] ?? "";
  };
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(tree).filter((child) => !ts.isJSDoc(child));
    if (children.length > 0) return children.forEach(visit);
    const [start, end] = [node.getStart(tree), node.getEnd()];
    copy(withoutComments, start, end);
    if (isText(node)) [start, end - 1].forEach((quote) => copy(code, quote, quote + 1));
    else copy(code, start, end);
  };
  visit(tree);
  return { path, text, withoutComments: withoutComments.join(""), code: code.join(""), tree };
}

function isText(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node);
}

/** All files with the ending below the folder, sorted; a missing folder is an empty one. */
export function listFiles(root: string, folder: string, ending: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
      .filter((path) => path.endsWith(ending))
      .toSorted();
  } catch {
    return [];
  }
}

/** Every match of the pattern, with its line. */
export function matches(text: string, pattern: RegExp): Finding[] {
  return [...text.matchAll(new RegExp(pattern, "g"))].map((match) => ({
    line: text.slice(0, match.index).split("\n").length,
    what: match[0].trim(),
  }));
}

/** Functions with more lines than `limit`. Comment lines are free, and so is a `describe` block, which is a list and no function. */
export function longFunctions(source: Source, limit: number): Finding[] {
  const findings: Finding[] = [];
  const lines = source.text.split("\n");
  const codeLines = source.withoutComments.split("\n");
  const visit = (node: ts.Node): void => {
    ts.forEachChild(node, visit);
    if (!ts.isFunctionLike(node) || isDescribeBlock(node)) return;
    const first = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line;
    const last = source.tree.getLineAndCharacterOfPosition(node.getEnd()).line;
    let counted = 0;
    for (let line = first; line <= last; line++) {
      const isComment = codeLines[line]?.trim() === "" && lines[line]?.trim() !== "";
      if (!isComment) counted += 1;
    }
    if (counted > limit) findings.push({ line: first + 1, what: `a function of ${counted} lines` });
  };
  visit(source.tree);
  return findings;
}

/** Uses of `this` outside a constructor, where it only lays down the fields of a value. */
export function usesOfThis(source: Source): Finding[] {
  const findings: Finding[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isConstructorDeclaration(node)) return;
    if (node.kind === ts.SyntaxKind.ThisKeyword) {
      findings.push({ line: source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1, what: "this" });
    }
    ts.forEachChild(node, visit);
  };
  visit(source.tree);
  return findings;
}

function isDescribeBlock(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && /^describe\b/.test(node.parent.expression.getText());
}

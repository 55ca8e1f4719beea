/**
 * Schemas of this wire's older dialect (`parameters`, `responseSchema`: OpenAPI's words, types in capitals, 64-bit counts as strings) as
 * JSON Schema. Done on the text, so that numbers, key order and everything else stay as the caller wrote them.
 */
const TYPE_WORD = /("type"\s*:\s*)"(STRING|NUMBER|INTEGER|BOOLEAN|ARRAY|OBJECT|NULL)"/g;
const COUNT_WORD = /("(?:min|max)(?:Items|Length|Properties)"\s*:\s*)"(\d+)"/g;

/** The schema in JSON Schema's words. `nullable` has no counterpart that is not a change of shape; it stays, as an unknown keyword. */
export function jsonSchemaText(schemaText: string): string {
  return schemaText
    .replaceAll(TYPE_WORD, (_, head: string, type: string) => `${head}"${type.toLowerCase()}"`)
    .replaceAll(COUNT_WORD, "$1$2");
}

/** Media by the wire's short words and by media type. */
import { ownMember } from "../../../schema/json.ts";
import { isBase64 } from "../base64.ts";
import type { MediaSource } from "../canonical.ts";

const DOCUMENTS: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  csv: "text/csv",
  doc: "application/msword",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xls: "application/vnd.ms-excel",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  html: "text/html",
  txt: "text/plain",
  md: "text/markdown",
};

const IMAGES = ["png", "jpeg", "gif", "webp"];

export function mediaTypeOfDocument(format: string): string {
  return ownMember(DOCUMENTS, format) ?? "application/octet-stream";
}

/** The word for a document's media type; any text is plain text. Null: the wire knows no such document. */
export function documentFormat(mediaType: string): string | null {
  const known = Object.entries(DOCUMENTS).find(([, type]) => type === mediaType)?.[0];
  return known ?? (mediaType.startsWith("text/") ? "txt" : null);
}

/** An answer's picture in the wire's words; null where the wire has none: no picture, no bytes, or bytes that its clients could not decode. */
export function imageOf(source: MediaSource): { format: string; bytes: string } | null {
  if (source.kind !== "base64" || !isBase64(source.data)) return null;
  const format = imageFormat(source.mediaType);
  return format === null ? null : { format, bytes: source.data };
}

/** The word for an image's media type; null where the wire knows no such image. */
export function imageFormat(mediaType: string): string | null {
  const format = mediaType.replace("image/jpg", "image/jpeg").replace("image/", "");
  return IMAGES.includes(format) ? format : null;
}

/** The style sheet and the scripts of pages, made by scripts/dashboard-assets.ts into assets.json. Names carry their hash, so a copy is good for ever. */
import assets from "../assets.json" with { type: "json" };

export const ASSETS_PATH = "/assets";
const FOREVER = "public, max-age=31536000, immutable";

export type AssetName = keyof typeof assets;

interface Asset {
  type: string;
  text: string;
}

const byPath = new Map<string, Asset>(Object.values(assets).map((asset) => [`${ASSETS_PATH}/${asset.name}`, asset]));

export function assetPath(name: AssetName): string {
  return `${ASSETS_PATH}/${assets[name].name}`;
}

/** The asset at a path; null where there is none. */
export function assetAt(path: string): Response | null {
  const asset = byPath.get(path);
  if (asset === undefined) return null;
  return new Response(asset.text, { headers: { "content-type": asset.type, "cache-control": FOREVER } });
}

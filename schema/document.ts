/** The configuration as `GET/PUT /admin/config` and `plyrum.yaml` give it. Keys we do not act on yet survive and are named in a warning. */
import { z } from "zod";

export const modelProviderSchema = z.looseObject({
  /** `provider/model` or `provider/*`. */
  model: z.string().min(1),
  /** `$NAME` of an environment variable, or the credential itself. */
  access_key: z.string().optional(),
  default: z.boolean().optional(),
  provider_interface: z.string().optional(),
  base_url: z.url().optional(),
});

export const configDocumentSchema = z.looseObject({
  version: z.string().optional(),
  model_providers: z.array(modelProviderSchema).optional(),
  model_aliases: z.record(z.string(), z.looseObject({ target: z.string().min(1) })).optional(),
});
export type ConfigDocument = z.infer<typeof configDocumentSchema>;

/** How the requests of all accounts went, by provider and UTC day: from rollups alone, along the index of days. */

export interface ProviderDay {
  provider: string;
  day: string;
  requests: number;
  failed: number;
}

export const PROVIDER_DAYS = `SELECT provider, day, sum(requests) AS requests, sum(failed) AS failed FROM usage_day
  WHERE day >= ?1 GROUP BY day, provider ORDER BY provider, day LIMIT ?2`;

/** Rows of several databases are several rows. */
export async function providerDays(databases: readonly D1Database[], fromDay: string, limit: number): Promise<ProviderDay[]> {
  const found = await Promise.all(databases.map((database) => database.prepare(PROVIDER_DAYS).bind(fromDay, limit).all<ProviderDay>()));
  return found.flatMap((result) => result.results);
}

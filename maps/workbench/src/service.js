// The service's answers. One function per question; errors carry the Chinese detail of problem+json.

/** @typedef {{load_id: string, layer: string, file_name: string, data_date: string | null, stored: number,
 *   read: number, repaired: number, quarantined: number}} Load */
/** @typedef {{parcels: number, parcels_mu: number, idle: number | null, idle_mu: number | null,
 *   inefficient: number | null, inefficient_mu: number | null, not_assessed: number, plots: number, plots_mu: number, sites: number,
 *   by_level: Record<string, {count: number, mu: number}>,
 *   ladder: {gap_m: number, plots: number, mu: number}[]}} Summary */
/** @typedef {{run_id: string, as_of: string, ruleset: string, ruleset_title: string, started_at: string,
 *   parameters: Record<string, any>, loads: Load[], summary: Summary,
 *   bounds: [number, number, number, number] | null}} Run */
/** @typedef {{field: string, zh: string, value: unknown, unit?: string}} Evidence */
/** @typedef {{finding_id: string, kind: string, rule: string, rule_title?: string, level: string,
 *   level_title?: string, since: string | null, days: number | null, next_date: string | null,
 *   fee_yuan: number | null, evidence: Evidence[], missing: {field: string, zh: string}[],
 *   reading?: Record<string, unknown>, confidence?: string, source?: string, parcel_id?: string, town?: string,
 *   holder?: string, area_m2?: number}} Finding */
/** @typedef {{plot: Record<string, any>, members: Record<string, any>[], evidence: Record<string, any>}} Plot */
/** @typedef {{condition: string, zh: string, value: unknown, limit: unknown, unit: string, margin: number | null,
 *   outcome: "pass" | "fail" | "not_assessed", text: string}} Condition */
/** @typedef {{criterion: string, zh: string, value: unknown, unit: string, score: number, weight: number, scale?: string}} Criterion */
/** @typedef {{site_id: string, kind: "plot" | "parcel", name: string, town: string, rank: number, score: number,
 *   area_m2: number, area_mu: number, centroid: [number, number], bbox: [number, number, number, number],
 *   conditions: Condition[], criteria: Criterion[]}} Site */
/** @typedef {{run_id: string, matched: number, sites: Site[],
 *   excluded: {site_id: string, name: string, reasons: string[], failed: string[]}[],
 *   excluded_total: number}} Matches */
/** @typedef {{type: "Feature", geometry: any, properties: Record<string, any>}} Feature */

/** What went wrong, in words for the reader. */
export class ServiceError extends Error {
  /** @param {number} status @param {string} detail @param {string} [remedy] */
  constructor(status, detail, remedy = "") {
    super(detail);
    this.status = status;
    this.remedy = remedy;
  }
}

/** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
async function ask(path, init) {
  let response;
  try {
    response = await fetch(path, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ServiceError(0, "无法连接服务", "请检查服务是否在运行");
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    const parts = (body?.errors ?? []).map((/** @type {{detail: string}} */ error) => error.detail.replace("Value error, ", ""));
    const detail = [body?.detail ?? `服务返回 ${response.status}`, ...parts].join("：");
    throw new ServiceError(response.status, detail, body?.remedy ?? "");
  }
  return body;
}

/** @returns {Promise<Run>} */
export const latestRun = () => ask("/runs/latest");

/** @returns {Promise<any>} */
export const districtStyle = () => ask("/styles/district.json");

/** All plots of the run, the largest first. @returns {Promise<Feature[]>} */
export async function allPlots() {
  const { features } = await ask("/collections/plots/items?limit=1000");
  return features.sort((/** @type {Feature} */ a, /** @type {Feature} */ b) => b.properties.area_m2 - a.properties.area_m2);
}

/** @returns {Promise<{demand_id: string, name: string, need: Record<string, any>}[]>} */
export async function demands() {
  const { features } = await ask("/collections/demands/items?limit=200");
  return features.map((/** @type {Feature} */ feature) => feature.properties);
}

/** @param {string} layer @param {string} key @returns {Promise<Feature>} */
export const feature = (layer, key) => ask(`/collections/${layer}/items/${encodeURIComponent(key)}`);

/** @param {string} id @returns {Promise<{parcel: Record<string, any>, findings: Finding[], plots?: string[], judged?: boolean}>} */
export const parcelFindings = (id) => ask(`/parcels/${encodeURIComponent(id)}/findings`);

/** @param {string} id @returns {Promise<Plot>} */
export const plot = (id) => ask(`/plots/${encodeURIComponent(id)}`);

/**
 * One page of findings.
 * @param {Record<string, string>} filter kind, level, town, after
 * @returns {Promise<{findings: Finding[], next: string | null}>}
 */
export function findings(filter) {
  const query = new URLSearchParams({ limit: "50" });
  for (const [key, value] of Object.entries(filter)) if (value) query.set(key, value);
  return ask(`/findings?${query}`);
}

/** @returns {Promise<{key: string, kind: string, level: string, count: number, mu: number}[]>} */
export async function findingsByTown() {
  const answer = await ask("/findings/statistics?by=town");
  return Array.isArray(answer) ? answer : (answer.rows ?? answer.statistics ?? []);
}

/** @param {Record<string, unknown>} need @returns {Promise<Matches>} */
export const searchSites = (need) =>
  ask("/sites/search", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(need),
  });

// The service's answers. One function per question; errors carry the Chinese detail of problem+json.

/** @typedef {{load_id: string, layer: string, file_name: string, data_date: string | null, stored: number,
 *   read: number, repaired: number, quarantined: number}} Load */
/** @typedef {{parcels: number, parcels_mu: number, idle: number | null, idle_mu: number | null,
 *   inefficient: number | null, inefficient_mu: number | null, not_assessed: number, plots: number, plots_mu: number, sites: number,
 *   by_level: Record<string, {count: number, mu: number}>,
 *   ladder: {gap_m: number, plots: number, mu: number, groups?: number}[], near_misses?: Record<string, any>[],
 *   coverage?: Record<string, any>, unassessed_barriers?: string[], unassessed_setbacks?: Record<string, any>[], slope?: Record<string, any>}} Summary */
/** @typedef {{run_id: string, as_of: string, ruleset: string, ruleset_title: string, started_at: string,
 *   parameters: Record<string, any>, loads: Load[], summary: Summary,
 *   bounds: [number, number, number, number] | null}} Run */
/** @typedef {{load_id: string, row: number | null} | null} Source */
/** @typedef {{field: string, zh: string, value: unknown, unit?: string, source?: Source}} Evidence */
/** @typedef {{key: string, zh: string, value: unknown, status: string, status_title: string}} Parameter */
/** @typedef {{from: string | null, to: string | null, running: boolean, zh: string, counts: boolean, why_not: string | null,
 *   late_handover: boolean, evidence: string | null, source: Source, days_counted?: number, days_counted_1y?: number,
 *   days_counted_2y?: number, days_counted_stop?: number}} Excuse */
/** @typedef {{as_of: string, level: string | null, level_title: string | null, rule: string | null, since: string | null,
 *   next_level: string | null, next_date: string | null, fee_yuan: number | null, why?: string, started: boolean | null,
 *   started_on_computed: string | null,
 *   events: {date: string, kind: string, zh: string, seen: boolean}[],
 *   milestones: {date: string | null, level: string, zh: string, moving: boolean, passed: boolean}[],
 *   excuses: Excuse[], missing: {field: string, zh: string}[]}} Timeline */
/** @typedef {{subject: boolean, why: string | null, rules?: {rule: string, title: string}[],
 *   not_computed: {title: string, reason: string}[]}} Assessed */
/** @typedef {{field: string, zh: string, value: unknown, unit: string}} Value */
/** @typedef {{firm_id: string, holder: string | null, credit_code: string | null, values: Value[], evidence: Record<string, any> | null,
 *   missing: {zh: string}[]}} Firm */
/** @typedef {Record<string, {file_name: string, layer?: string, data_date: string | null, loaded_at: string}>} Loads */
/** @typedef {{parcel: Record<string, any>, findings: Finding[], plots?: string[], judged?: boolean,
 *   run?: {run_id: string, as_of: string, ruleset: string, ruleset_title: string} | null,
 *   assessed?: {idle: Assessed, inefficient: Assessed}, timeline?: Timeline, loads?: Loads,
 *   stock?: {stock_class: string | null, title: string | null, basis: string | null},
 *   indicators?: {values: Value[], missing: {zh: string}[]} | null, firms?: Firm[]}} ParcelAnswer */
/** @typedef {{finding_id: string, kind: string, rule: string, rule_title?: string, level: string,
 *   level_title?: string, since: string | null, days: number | null, next_date: string | null,
 *   fee_yuan: number | null, evidence: Evidence[], missing: {field: string, zh: string}[],
 *   reading?: Record<string, any>, parameters?: Parameter[], confidence?: string, source?: string, article?: string | null,
 *   ruleset?: string | null, shortfall?: string | null, disposals?: string | null, unverified?: string | null,
 *   parcel_id?: string, town?: string, holder?: string, area_m2?: number}} Finding */
/** @typedef {{key: string | null, kind: string, level: string, count: number, mu: number, fee_yuan: number | null,
 *   fee_unknown: number}} Row */
/** @typedef {{count: number, mu: number}} Counted */
/** @typedef {{found: Counted, watched: Counted, not_assessed: Counted, ok: Counted, not_subject: Counted,
 *   not_subject_why: Record<string, number>}} Fate */
/** @typedef {{rows: Row[], assessed: {idle: Fate, inefficient: Fate} | null,
 *   stock: {stock_class: string, title: string, basis: string, count: number, mu: number}[] | null}} Statistics */
/** @typedef {{run_id: string, as_of: string, ruleset: string}} RunName */
/** @typedef {{kind: string, kind_title: string, change: string, change_title: string, parcels: number, mu: number,
 *   before_fee_yuan: number | null, after_fee_yuan: number | null, not_in_layer: number}} ChangeSum */
/** @typedef {{change: string, change_title: string, kind: string, parcel_id: string, rule: string, town: string | null,
 *   holder: string | null, area_m2: number, before_level: string | null, before_level_title: string | null,
 *   after_level: string | null, after_level_title: string | null, in_layer: boolean | null, reason: string | null}} Change */
/** @typedef {{before: RunName, after: RunName, summary: ChangeSum[], matched: number, changes: Change[],
 *   next_offset: number | null}} Changes */
/** @typedef {{plot: Record<string, any>, members: Record<string, any>[], evidence: Record<string, any>}} Plot */
/** @typedef {{plot_id: string, length_m: number, width_m: number, fits: boolean | null, corners: [number, number][] | null,
 *   angle_deg: number | null, proof: string, tolerance_m: number, zh: string}} Fit */
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

/** @param {string} id @returns {Promise<ParcelAnswer>} */
export const parcelFindings = (id) => ask(`/parcels/${encodeURIComponent(id)}/findings`);

/** @param {string} id @returns {Promise<Plot>} */
export const plot = (id) => ask(`/plots/${encodeURIComponent(id)}`);

/** Whether a rectangle fits into a plot. @param {string} id @param {number} length_m @param {number} width_m @returns {Promise<Fit>} */
export const fit = (id, length_m, width_m) =>
  ask(`/plots/${encodeURIComponent(id)}/fit?${new URLSearchParams({ length_m: String(length_m), width_m: String(width_m) })}`);

/** What the list and its totals are asked for; an empty one is not asked. @typedef {{kind: string, level: string, town: string, rule: string, holder: string}} Wanted */

/**
 * The filter as the service takes it; a part of a holder's name becomes a pattern.
 * @param {Partial<Wanted>} wanted @returns {URLSearchParams}
 */
export function findingsQuery({ holder = "", ...equal }) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(equal)) if (value) query.set(key, value);
  const text = holder.trim();
  if (text) query.set("filter", `holder LIKE '%${text.replaceAll(/[\\%_]/g, "\\$&").replaceAll("'", "''")}%'`);
  return query;
}

/**
 * One page of findings.
 * @param {Wanted} wanted @param {string} [after] @returns {Promise<{matched: number, findings: Finding[], next: string | null}>}
 */
export function findings(wanted, after = "") {
  const query = findingsQuery(wanted);
  query.set("limit", "50");
  if (after) query.set("after", after);
  return ask(`/findings?${query}`);
}

/** @param {"town" | "kind"} by @param {Partial<Wanted>} wanted @returns {Promise<Statistics>} */
export function statistics(by, wanted) {
  const query = findingsQuery(wanted);
  query.set("by", by);
  return ask(`/findings/statistics?${query}`);
}

/** @param {"idle" | "inefficient"} kind @param {string} town @returns {string} address of the workbook */
export const ledger = (kind, town) => `/ledgers/${kind}.xlsx${town ? `?${new URLSearchParams({ town })}` : ""}`;

/**
 * What changed since the run before, or nothing where there is none.
 * @param {string} runId @param {number} limit @returns {Promise<Changes | null>}
 */
export async function changes(runId, limit) {
  const { runs } = await ask("/runs");
  if (runs.findIndex((/** @type {RunName} */ run) => run.run_id === runId) < 1) return null;
  return ask(`/runs/${encodeURIComponent(runId)}/changes?limit=${limit}`).catch((/** @type {ServiceError} */ error) => {
    if (error.status === 404) return null;
    throw error;
  });
}

/** @param {Record<string, unknown>} need @returns {Promise<Matches>} */
export const searchSites = (need) =>
  ask("/sites/search", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(need),
  });

// An investor's need between the form and the service. Pure functions.

/** Distances the form asks for. @type {[string, string][]} */
export const DISTANCES = [
  ["motorway_ramp", "距高速互通"], ["rail_yard", "距铁路货场"], ["port", "距港口"], ["logistics_hub", "距物流枢纽"],
];
/** @type {[string, string, string][]} */
export const FACTORS = [
  ["power_kva", "供电容量", "kVA"], ["water_m3d", "供水", "m³/日"], ["gas_m3d", "供气", "m³/日"],
  ["steam_th", "供热", "吨/时"], ["sewage_m3d", "污水处理", "m³/日"],
];
/** @type {[string, string][]} */
export const USES = [
  ["", "不限"], ["1001", "工业用地"], ["100101", "一类工业用地"], ["100102", "二类工业用地"], ["100103", "三类工业用地"],
  ["1101", "物流仓储用地"],
];
const YUAN_PER_WAN = 10_000;

/** @typedef {Record<string, string>} Form flat text values by field name */

/** @param {string | undefined} text @returns {number | undefined} */
function numeric(text) {
  const value = Number(String(text ?? "").replaceAll(/[,，\s]/g, ""));
  return text && Number.isFinite(value) ? value : undefined;
}

/** @param {Record<string, number | undefined>} values @returns {Record<string, number> | undefined} */
function stated(values) {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length ? /** @type {any} */ (Object.fromEntries(entries)) : undefined;
}

/** The body of POST /sites/search. @param {Form} form @returns {Record<string, unknown>} */
export function needOf(form) {
  const price = numeric(form.price_wan);
  const need = {
    industry: form.industry || undefined,
    area_mu: stated({ min: numeric(form.area_min), max: numeric(form.area_max) }),
    land_use: form.land_use ? form.land_use.split(",") : undefined,
    max_km: stated(Object.fromEntries(DISTANCES.map(([key]) => [key, numeric(form[`km_${key}`])]))),
    min_factors: stated(Object.fromEntries(FACTORS.map(([key]) => [key, numeric(form[`factor_${key}`])]))),
    max_price_yuan_per_mu: price === undefined ? undefined : price * YUAN_PER_WAN,
    min_inscribed_radius_m: numeric(form.radius_m),
    deadline: form.deadline || undefined,
    limit: 20,
  };
  return Object.fromEntries(Object.entries(need).filter(([, value]) => value !== undefined));
}

/** The form filled in from a stored need. @param {Record<string, any>} need @returns {Form} */
export function formOf(need) {
  const text = (/** @type {unknown} */ value) => (value === null || value === undefined ? "" : String(value));
  /** @type {Form} */
  const form = {
    industry: text(need.industry),
    area_min: text(need.area_mu?.min),
    area_max: text(need.area_mu?.max),
    land_use: (need.land_use ?? []).join(","),
    price_wan: need.max_price_yuan_per_mu ? text(need.max_price_yuan_per_mu / YUAN_PER_WAN) : "",
    radius_m: text(need.min_inscribed_radius_m),
    deadline: text(need.deadline),
  };
  for (const [key] of DISTANCES) form[`km_${key}`] = text(need.max_km?.[key]);
  for (const [key] of FACTORS) form[`factor_${key}`] = text(need.min_factors?.[key]);
  return form;
}

// Numbers, units and coded words as a Chinese reader expects them. Pure functions.

const M2_PER_MU = 2000 / 3;

/** @param {number} digits */
const numbers = (digits) => new Intl.NumberFormat("zh-CN", { maximumFractionDigits: digits });
const [whole, tenths, hundredths] = [numbers(0), numbers(1), numbers(2)];

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A count or a quantity with at most `digits` decimals; a dash where there is none. @param {unknown} value */
export function number(value, digits = 0) {
  if (!isNumber(value)) return "—";
  return (digits === 0 ? whole : digits === 1 ? tenths : hundredths).format(value);
}

/** Mu of an area in square metres: tenths below 1000 mu. @param {unknown} area_m2 */
export function mu(area_m2) {
  if (!isNumber(area_m2)) return "—";
  return muOf(area_m2 / M2_PER_MU);
}

/** @param {unknown} value_mu */
export function muOf(value_mu) {
  if (!isNumber(value_mu)) return "—";
  return (value_mu < 1000 ? tenths : whole).format(value_mu);
}

/** @param {unknown} area_m2 */
export const hectares = (area_m2) => (isNumber(area_m2) ? hundredths.format(area_m2 / 10_000) : "—");

/** @param {unknown} share 0–1 */
export const percent = (share) => (isNumber(share) ? `${tenths.format(share * 100)}%` : "—");

/** @param {unknown} yuan */
export function money(yuan) {
  if (!isNumber(yuan)) return "—";
  if (Math.abs(yuan) >= 1e8) return `${hundredths.format(yuan / 1e8)} 亿元`;
  if (Math.abs(yuan) >= 1e4) return `${hundredths.format(yuan / 1e4)} 万元`;
  return `${whole.format(yuan)} 元`;
}

/** @param {unknown} iso date or time as ISO text @returns {string} the day */
export const day = (iso) => (typeof iso === "string" && iso ? iso.slice(0, 10) : "—");

/** @type {Record<string, string>} */
const UNIT_NAMES = {
  m: "米", km: "公里", d: "天", persons: "人", "%": "%", kVA: "kVA", mu: "亩", "m3/d": "m³/日", "t/h": "吨/时",
  "tce/a": "吨标煤/年", "kWh/a": "千瓦时/年", "t/a": "吨/年", "1": "", a: "年", "yuan/t": "元/吨",
};

/** What an amount of money is divided by. @type {Record<string, string>} */
const PER = { a: "年", mu: "亩", t: "吨", tce: "吨标煤", kWh: "千瓦时", persons: "人" };

/** Fields of land, which is told in mu; floors and footprints stay in square metres. */
const LAND_FIELDS = new Set([
  "area_m2", "land_m2", "declared_area_m2", "area_due_m2", "area_developed_m2", "area_used_m2", "vacant_m2", "yard_area_m2",
]);
const SHARES = new Set(["building_density", "building_coefficient", "vacant_share", "rd_share"]);

/**
 * A value with its unit in the form a screen shows.
 * @param {unknown} value @param {string} [unit] stored unit @returns {string}
 */
export function quantity(value, unit = "") {
  if (value === null || value === undefined || value === "") return "—";
  if (typeof value === "boolean") return value ? "是" : "否";
  if (typeof value === "string") return WORDS[value] ?? (/^\d{4}-\d\d-\d\dT/.test(value) ? day(value) : value);
  if (Array.isArray(value)) return value.map((item) => quantity(item, unit)).join("、");
  if (typeof value === "object") {
    return Object.entries(value).map(([key, item]) => `${WORDS[key] ?? key} ${quantity(item, unit)}`).join("；");
  }
  if (!isNumber(value)) return String(value);
  if (unit === "m2") return `${mu(value)} 亩`;
  if (unit === "yuan") return money(value);
  const [, per] = /^yuan\/(\w+)$/.exec(unit) ?? [];
  if (per) return `${Math.abs(value) < 100 ? `${hundredths.format(value)} 元` : money(value)}/${PER[per] ?? per}`;
  const name = UNIT_NAMES[unit] ?? unit;
  const text = number(value, Math.abs(value) < 10 ? 2 : 1);
  return name === "%" ? `${text}%` : name ? `${text} ${name}` : text;
}

/**
 * The value of a field as evidence: land in mu and square metres, floors in square metres, shares in percent, years plain.
 * @param {string} field @param {unknown} value @param {string} [unit]
 */
export function fieldValue(field, value, unit = "") {
  if (!isNumber(value)) return quantity(value, unit);
  if (LAND_FIELDS.has(field)) return `${hundredths.format(value / M2_PER_MU)} 亩（${hundredths.format(value)} ㎡）`;
  if (unit === "m2") return `${hundredths.format(value)} ㎡`;
  if (SHARES.has(field)) return percent(value);
  if (field === "year") return `${value} 年`;
  return quantity(value, unit);
}

/** A sum of money to the cent. @param {unknown} yuan */
export const exactMoney = (yuan) => (isNumber(yuan) ? `${hundredths.format(yuan)} 元` : "—");

/** Levels of findings: of several on one parcel the first counts. */
export const GRAVEST_FIRST = ["idle_2y", "idle_1y", "idle_stalled", "inefficient", "overdue", "warning", "not_assessed"];

/** Levels that make a parcel idle or inefficient; a parcel has one of a kind. @type {Record<string, string[]>} */
export const FOUND = { idle: ["idle_1y", "idle_2y", "idle_stalled"], inefficient: ["inefficient"] };

/** Coded words that the service sends as they are stored. @type {Record<string, string>} */
export const WORDS = {
  state: "国有", collective: "集体",
  grant: "出让", allocation: "划拨", lease: "租赁",
  not_started: "未动工", building: "在建", suspended: "停工", completed: "已竣工", producing: "投产", stopped: "停产",
  approved_unsupplied: "批而未供", supplied_unused: "供而未用", partly_used: "用而未尽", in_use: "已供已用",
  basic_farmland: "永久基本农田", ecological_redline: "生态保护红线", urban_boundary: "城镇开发边界以外",
  industrial_line: "工业用地区块线", steep_slope: "陡坡", setback: "退让", sliver: "零碎边角",
  motorway: "高速公路", railway: "铁路", river: "河流", local_road: "地方道路", power_line: "电力线路", pipeline: "油气管道",
  motorway_ramp: "高速互通", rail_yard: "铁路货场", port: "港口", logistics_hub: "物流枢纽",
  idle: "疑似闲置", inefficient: "疑似低效",
  suspected: "疑似，待确认", confirmed: "已确认", rejected: "已排除",
  unverified: "未核实", verified: "已核对原文", secondary: "据二手资料", superseded: "已被新版代替", next_day: "期满次日", holder: "使用权人", ellipsoidal: "椭球面积", anniversary: "满周年当日",
  pit: "深基坑", pile: "桩基", other: "其他", contract: "合同约定", handover: "交地后宽限期满", source: "来源数据载明", derived: "由建设事实推定",
  firm: "按企业", parcel: "按宗地", same: "未变", own: "企业自身原因",
};

/** Words beside the levels that a map has colours for. @type {Record<string, string>} */
export const FATES = { found: "疑似", watched: "临期或逾期", not_assessed: "未能评估", ok: "所评条款中未发现", not_subject: "不在评估范围" };

/** @type {Record<string, string>} */
export const KINDS = { idle: "闲置", inefficient: "低效" };

/** Layers by the names that sources have. @type {Record<string, string>} */
export const LAYER_NAMES = {
  parcels: "宗地", delays: "延误原因", enterprises: "企业", buildings: "建筑", zoning: "规划用途", control_lines: "控制线",
  barriers: "阻隔", towns: "乡镇街道", network: "交通网络", terminals: "物流节点", markets: "市场", demands: "项目需求",
};

/** The file and row that a value came from. @param {import("./service.js").Source | undefined} source @param {import("./service.js").Loads} loads */
export function sourceText(source, loads) {
  if (!source) return "来源未记载";
  const load = loads[source.load_id];
  // A load's name ends in the layer that it filled.
  const layer = load?.layer ?? /-([a-z_]+)$/.exec(source.load_id)?.[1] ?? "";
  const where = source.row === null ? "" : ` 第 ${source.row} 条`;
  const about = [LAYER_NAMES[layer], load?.data_date && `数据日期 ${day(load.data_date)}`].filter(Boolean).join("，");
  return `${load?.file_name ?? source.load_id}${where}${about ? `（${about}）` : ""}`;
}

/** @param {unknown} word */
export const word = (word) => (typeof word === "string" && word ? (WORDS[word] ?? word) : "—");

/**
 * "1001 工业用地" for a code of the land-use classification.
 * @param {unknown} code @param {Record<string, string>} groups names by the first two digits
 */
export function landUse(code, groups) {
  if (typeof code !== "string" || !code) return "—";
  const name = LAND_USES[code.slice(0, 6)] ?? LAND_USES[code.slice(0, 4)] ?? groups[code.slice(0, 2)];
  return name ? `${name}（${code}）` : code;
}

/** @type {Record<string, string>} */
const LAND_USES = {
  "0101": "水田", "0102": "水浇地", "0103": "旱地", "0701": "城镇住宅用地", "0703": "农村宅基地", "0901": "商业用地",
  "1001": "工业用地", "100101": "一类工业用地", "100102": "二类工业用地", "100103": "三类工业用地", "1002": "采矿用地",
  "1101": "物流仓储用地", "110101": "一类物流仓储用地", "110102": "二类物流仓储用地", "110103": "三类物流仓储用地",
  "1102": "储备库用地", "1202": "公路用地", "1207": "城镇村道路用地", "1401": "公园绿地", "1402": "防护绿地",
};

// Where the marks of a parcel's timeline stand: true to time on the rail, and labels pushed apart until all can be read.
// Pure functions.

/** @typedef {import("../service.js").Timeline} Timeline */
/** @typedef {import("../service.js").Excuse} Excuse */
/** @typedef {{kind: "event" | "milestone" | "excuse" | "as_of", date: string, text: string, level: string, ahead: boolean}} Label */
/** @typedef {Label & {at: number, y: number}} Placed a label at `y`, whose day is at `at` on the rail */
/** @typedef {{excuse: Excuse, from: number, to: number, lane: number}} Band */
/** @typedef {{level: string, from: number, to: number}} Stretch */
/** @typedef {{height: number, labels: Placed[], bands: Band[], stretches: Stretch[], years: {year: number, y: number}[],
 *   today: number}} Axis */

export const ROW = 19;
const EDGE = 12;
const YEAR_GAP = 14;
const ORDER = ["event", "milestone", "excuse", "as_of"];
/** Levels of land that was not started: a start ends them. */
const BEFORE_START = ["warning", "overdue", "idle_1y", "idle_2y"];

/** @param {string} iso */
const days = (iso) => Date.parse(`${iso}T00:00:00Z`) / 86_400_000;

/**
 * The days that an excuse took out of the periods, in words.
 * @param {Excuse} excuse
 */
export function counted(excuse) {
  if (!excuse.counts) return "不计";
  const { days_counted: other, days_counted_1y: first = 0, days_counted_2y: second = 0, days_counted_stop: stop = 0 } = excuse;
  const parts = [];
  if (other !== undefined) parts.push(`计 ${other} 天`);
  if (first === second && first > 0) parts.push(`计 ${first} 天`);
  if (first !== second) parts.push(`一年期计 ${first} 天，两年期计 ${second} 天`);
  if (stop > 0) parts.push(`停工期计 ${stop} 天`);
  return parts.join("，") || "计 0 天";
}

/**
 * Whether the day of a milestone makes its level: a year of suspension alone does not, and nothing does where the parcel
 * could not be assessed.
 * @param {Timeline} timeline @param {string} level
 */
const holds = (timeline, level) =>
  level === "idle_stalled" ? [timeline.level, timeline.next_level].includes(level) : timeline.level !== "not_assessed";

/**
 * @param {Timeline} timeline
 * @param {(level: string) => string} title name of a level
 * @returns {Label[]} in order of time
 */
export function labelsOf(timeline, title) {
  /** @type {Label[]} */
  const labels = timeline.events.map(({ date, zh, seen }) => ({ kind: "event", date, text: zh, level: "", ahead: !seen }));
  for (const { date, zh, level, passed } of timeline.milestones) {
    if (!date) continue;
    const text = holds(timeline, level) ? `${zh}：${title(level)}` : zh;
    labels.push({ kind: "milestone", date, text, level: holds(timeline, level) ? level : "", ahead: !passed });
  }
  for (const excuse of timeline.excuses) {
    if (!excuse.from) continue;
    labels.push({ kind: "excuse", date: excuse.from, text: `${excuse.zh}，${counted(excuse)}`, level: "", ahead: excuse.from > timeline.as_of });
  }
  labels.push({ kind: "as_of", date: timeline.as_of, text: "评估基准日", level: "", ahead: false });
  return labels.sort((a, b) => a.date.localeCompare(b.date) || ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

/**
 * Heights of labels that are at least `gap` apart and within `low`–`high`, each as near to its place as the others let it.
 * @param {number[]} wanted in ascending order @param {number} gap @param {number} low @param {number} high
 */
export function pushedApart(wanted, gap, low, high) {
  /** @type {number[]} */
  const placed = [];
  for (const [i, y] of wanted.entries()) placed.push(Math.max(y, i ? placed[i - 1] + gap : low));
  for (let i = placed.length - 1, limit = high; i >= 0; i--, limit -= gap) placed[i] = Math.min(placed[i], limit);
  return placed;
}

/**
 * @param {Timeline} timeline @param {(level: string) => string} title
 * @returns {Axis | null} nothing where no day is known beside the day of assessment
 */
export function axisOf(timeline, title) {
  const labels = labelsOf(timeline, title);
  if (labels.length < 2) return null;
  const ends = timeline.excuses.map(({ from, to }) => (from && to ? to : timeline.as_of));
  const dates = [...labels.map((label) => label.date), ...ends].map(days);
  const first = Math.min(...dates);
  const last = Math.max(...dates, first + 1);
  const height = Math.max(labels.length * ROW, 6 * ROW) + 2 * EDGE;
  const y = (/** @type {number} */ day) => EDGE + ((day - first) / (last - first)) * (height - 2 * EDGE);
  const at = (/** @type {string} */ iso) => y(days(iso));
  const places = pushedApart(labels.map((label) => at(label.date)), ROW, EDGE, height - EDGE);
  return {
    height,
    labels: labels.map((label, i) => ({ ...label, at: at(label.date), y: places[i] })),
    bands: bandsOf(timeline, at),
    stretches: stretchesOf(timeline, at),
    years: yearsOf(first, last, y),
    today: at(timeline.as_of),
  };
}

/** @param {Timeline} timeline @param {(iso: string) => number} at @returns {Band[]} overlapping ones side by side */
function bandsOf(timeline, at) {
  /** @type {Band[]} */
  const bands = [];
  for (const excuse of timeline.excuses) {
    if (!excuse.from || (excuse.to && excuse.to < excuse.from)) continue;
    const from = at(excuse.from);
    const to = Math.max(at(excuse.to ?? (excuse.from > timeline.as_of ? excuse.from : timeline.as_of)), from + 3);
    const free = [0, 1].find((lane) => !bands.some((other) => other.lane === lane && other.to > from && other.from < to));
    bands.push({ excuse, from, to, lane: free ?? 1 });
  }
  return bands;
}

/** How long each level held until now. @param {Timeline} timeline @param {(iso: string) => number} at @returns {Stretch[]} */
function stretchesOf(timeline, at) {
  const passed = timeline.milestones
    .flatMap(({ date, level, passed }) => (date && passed && holds(timeline, level) ? [{ date, level }] : []))
    .sort((a, b) => a.date.localeCompare(b.date));
  return passed.flatMap(({ date, level }, i) => {
    const ends = [timeline.as_of, passed[i + 1]?.date ?? timeline.as_of];
    if (BEFORE_START.includes(level) && timeline.started && timeline.started_on_computed) ends.push(timeline.started_on_computed);
    const until = ends.reduce((a, b) => (a < b ? a : b));
    return until > date ? [{ level, from: at(date), to: at(until) }] : [];
  });
}

/** New Years that do not crowd each other. @param {number} first @param {number} last @param {(day: number) => number} y */
function yearsOf(first, last, y) {
  const years = [];
  for (let year = new Date(first * 86_400_000).getUTCFullYear() + 1; days(`${year}-01-01`) <= last; year++) {
    const place = y(days(`${year}-01-01`));
    if (!years.length || place - years[years.length - 1].y >= YEAR_GAP) years.push({ year, y: place });
  }
  return years;
}

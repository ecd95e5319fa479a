// The life of a parcel under the idle-land rules: a chart for the eye, the same in words for everyone.
import { html } from "../view.js";
import { FATES, day, sourceText } from "../wording.js";
import { axisOf, counted, labelsOf } from "./axis.js";

/** @typedef {import("../service.js").Timeline} Timed */
/** @typedef {import("../service.js").Loads} Loads */
/** @typedef {Record<string, {zh: string, colour: string}>} Levels */

const WIDTH = 360;
const RAIL = 48;
const LABELS = 82;
const LANE = 9;

/** @param {{timeline: Timed, levels: Levels, loads: Loads}} props */
export function Timeline({ timeline, levels, loads }) {
  const title = (/** @type {string} */ level) => levels[level]?.zh ?? (level === "ok" ? FATES.ok : level);
  const axis = axisOf(timeline, title);
  return html`<section class="timeline" aria-label="闲置土地时间轴">
    <h3>时间轴（闲置土地规则）</h3>
    <p class="standing"><${Standing} timeline=${timeline} title=${title} /></p>
    ${axis && html`<${Chart} axis=${axis} timeline=${timeline} levels=${levels} title=${title} />
      <${Signs} timeline=${timeline} />
      <details class="fold"><summary>时间轴文字版</summary><${InWords} timeline=${timeline} title=${title} loads=${loads} /></details>`}
  </section>`;
}

/** Level now and what comes next. @param {{timeline: Timed, title: (level: string) => string}} props */
function Standing({ timeline, title }) {
  const { level, since, next_level: next, next_date: when, why } = timeline;
  if (!level) return html`不适用：${why}。`;
  const moving = timeline.milestones.some((milestone) => milestone.level === next && milestone.moving);
  return html`截至 ${day(timeline.as_of)}：<b>${title(level)}</b>${since ? `（自 ${day(since)}）` : ""}。
    ${next && when && html` 下一节点：<b class="next">${day(when)}</b> 起为<b>${title(next)}</b>。`}
    ${next && !when && html` 下一节点：<b>${title(next)}</b>，${moving ? "扣除事由尚未结束，日期仍在顺延" : "日期不明"}。`}
    ${timeline.missing.length > 0 && html` 缺少：${timeline.missing.map((one) => one.zh).join("、")}。`}`;
}

/** @param {{axis: import("./axis.js").Axis, timeline: Timed, levels: Levels, title: (level: string) => string}} props */
function Chart({ axis, timeline, levels, title }) {
  const { height, labels, bands, stretches, years, today } = axis;
  const colour = (/** @type {string} */ level) => levels[level]?.colour ?? "#9a958a";
  const told = `时间轴，截至 ${timeline.as_of}：${title(timeline.level ?? "")}；${labels.length - 1} 个节点，逐条见下方文字版`;
  return html`<svg class="chart" viewBox=${`0 0 ${WIDTH} ${height}`} role="img" aria-label=${told}>
    <defs>
      ${[["counted", "#0c5f54"], ["aside", "#a39c8d"]].map(([name, ink]) => html`<pattern key=${name} id=${`hatch-${name}`} width="5" height="5"
        patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V5" stroke=${ink} stroke-width=${name === "counted" ? 3.2 : 1.4} /></pattern>`)}
    </defs>
    ${years.map(({ year, y }) => html`<g key=${year}><path d=${`M28 ${y}H${RAIL}`} class="grid" /><text x="25" y=${y + 3.5} class="year">${year}</text></g>`)}
    <path d=${`M${RAIL} 4V${today}`} class="rail" /><path d=${`M${RAIL} ${today}V${height - 4}`} class="rail ahead" />
    ${stretches.map((one) => html`<path key=${`${one.level}${one.from}`} d=${`M${RAIL} ${one.from}V${one.to}`} stroke=${colour(one.level)} class="stretch" />`)}
    ${bands.map(({ excuse, from, to, lane }) => html`<rect key=${`${excuse.from}${lane}${excuse.zh}`} x=${RAIL + 6 + lane * LANE} y=${from} width="8" height=${to - from}
      class=${`band ${excuse.counts ? "" : "aside"}`} fill=${`url(#hatch-${excuse.counts ? "counted" : "aside"})`}
      data-counts=${String(excuse.counts)} data-days=${counted(excuse)} />`)}
    ${labels.map((label) => html`<g key=${`${label.kind}${label.date}${label.text}`} class=${`label ${label.kind} ${label.ahead ? "ahead" : ""}`}>
      <path d=${`M${RAIL + 4} ${label.at}H${RAIL + 7}L${LABELS - 5} ${label.y}H${LABELS - 2}`} class="leader" />
      ${label.kind === "as_of"
        ? html`<path d=${`M28 ${label.at}H${RAIL + 8}`} class="today" />`
        : html`<circle cx=${RAIL} cy=${label.at} r="4" fill=${label.ahead ? "#fff" : label.level ? colour(label.level) : "#4f5b58"} stroke=${label.level ? colour(label.level) : "#4f5b58"} />`}
      <text x=${LABELS} y=${label.y + 4}><tspan class="date">${label.date}</tspan> <tspan dx="3">${label.text}</tspan></text>
    </g>`)}
  </svg>`;
}

/** What the bands mean; only where there are any. @param {{timeline: Timed}} props */
function Signs({ timeline }) {
  const kinds = [true, false].filter((counts) => timeline.excuses.some((one) => one.counts === counts && one.from));
  if (!kinds.length) return null;
  return html`<p class="signs">${kinds.map((counts) => html`<span key=${String(counts)}><i class=${counts ? "hatch" : "hatch aside"} aria-hidden="true"></i>
    ${counts ? "扣除的期间（不计入逾期）" : "不予扣除的期间"}</span>`)}</p>`;
}

/** @param {{timeline: Timed, title: (level: string) => string, loads: Loads}} props */
function InWords({ timeline, title, loads }) {
  const moving = timeline.milestones.filter((one) => !one.date);
  return html`<ol class="in-words">${labelsOf(timeline, title).filter((label) => label.kind !== "excuse").map((label) => html`<li key=${`${label.kind}${label.date}${label.text}`}>
      ${label.date} ${label.text}${label.ahead ? "（尚未到期）" : ""}</li>`)}
      ${moving.map((one) => html`<li key=${one.zh}>日期待定：${one.zh}，${title(one.level)}（扣除事由尚未结束）</li>`)}</ol>
    <${Excuses} excuses=${timeline.excuses} loads=${loads} />`;
}

/** Causes of delay: which counted, how long, and why the others did not. @param {{excuses: import("../service.js").Excuse[], loads: Loads}} props */
export function Excuses({ excuses, loads }) {
  if (!excuses.length) return null;
  return html`<table class="table excuses">
    <caption>延误事由</caption>
    <thead><tr><th scope="col">期间与事由</th><th scope="col">是否扣除</th></tr></thead>
    <tbody>${excuses.map((one, place) => html`<tr key=${place}>
      <td>${day(one.from)} 至 ${one.running ? "今（未结束）" : day(one.to)}<br />${one.zh}
        <small>${one.evidence ? `凭证：${one.evidence}；` : ""}来源：${sourceText(one.source, loads)}</small></td>
      <td>${one.counts ? html`<b>${counted(one)}</b>` : html`不计：${one.why_not}`}</td>
    </tr>`)}</tbody>
  </table>`;
}

// One finding: what is suspected under which article, since when, on what evidence, what is missing, what may be done.
import { html } from "../view.js";
import { day, exactMoney, money, number, quantity, word } from "../wording.js";
import { Facts } from "./card.js";
import { EvidenceTable, Parameters, ScoreParts, Status } from "./evidence.js";
import { Excuses } from "./timeline.js";

/** @typedef {import("../service.js").Finding} Finding */

/** @param {{finding: Finding, level: {zh: string, colour: string} | undefined, loads: import("../service.js").Loads}} props */
export function FindingView({ finding, level, loads }) {
  const reading = finding.reading ?? {};
  const name = finding.level_title ?? level?.zh ?? finding.level;
  const rest = readings(reading);
  return html`<section class="finding" style=${{ borderLeftColor: level?.colour }} aria-label=${`${name}：${finding.rule_title ?? finding.rule}`}>
    <h3>${name}${finding.level !== "not_assessed" && html`<span class="tag">${confidence(finding.confidence)}</span>`}</h3>
    <p class="finding-rule">${finding.rule_title ?? finding.rule}</p>
    <p class="cited">${[finding.source, finding.article].filter(Boolean).join(" ")}${finding.ruleset && html`<br />规则集：${finding.ruleset}`}</p>
    ${measures(reading, finding.level !== "not_assessed").map((text) => html`<p class="measure" key=${text}>${text}</p>`)}
    ${finding.shortfall && html`<p class="shortfall"><b>达标差距</b> ${finding.shortfall}</p>`}
    ${finding.missing.length > 0 && html`<p class="missing"><b>缺少</b> ${finding.missing.map((one) => one.zh).join("、")}</p>`}
    <${Facts} rows=${[
      ["起始日期", day(finding.since)],
      ["至今", finding.days === null ? "" : `${number(finding.days)} 天`],
      ["下一节点", day(finding.next_date)],
      ["扣除天数", reading.excused_days > 0 ? `${number(reading.excused_days)} 天` : ""],
      ["闲置费（测算）", finding.fee_yuan === null ? "" : html`${money(finding.fee_yuan)}<small>${exactMoney(finding.fee_yuan)}</small>`],
      ["集体土地", reading.collective === true ? "参照办理，不计闲置费" : ""],
    ]} />
    <${Excuses} excuses=${reading.excuses ?? []} loads=${loads} />
    ${score(reading) && html`<${ScoreParts} parts=${reading.criteria} />`}
    <${FirmsRead} firms=${reading.firms ?? []} />
    <${EvidenceTable} evidence=${finding.evidence} loads=${loads} />
    ${finding.unverified && html`<p class="unverified"><b>未核实</b> ${finding.unverified}</p>`}
    <${Disposals} listed=${reading.disposals ?? []} text=${finding.disposals ?? ""} />
    <${Parameters} parameters=${finding.parameters ?? []} />
    ${rest.length > 0 && html`<details class="fold"><summary>判定口径</summary>
      <table class="table"><tbody>${rest.map(([key, value]) => html`<tr key=${key}><th scope="row">${key}</th><td class="break">${value}</td></tr>`)}</tbody></table>
    </details>`}
  </section>`;
}

/** Measures that the rules allow. @param {{listed: any[], text: string}} props */
function Disposals({ listed, text }) {
  const plain = listed.length ? [] : text.split("；").filter(Boolean);
  const count = listed.length + plain.length;
  if (!count) return null;
  return html`<details class="fold"><summary>可采取措施（${count} 项）</summary>
    <ol class="disposals">
      ${plain.map((one) => html`<li key=${one}>${one}</li>`)}
      ${listed.map((one) => html`<li key=${one.measure}>${one.measure} ${one.status === "unverified" && html`<${Status} status=${one.status} title=${one.status_title} />`}
        ${[one.article, one.paper, one.limit].some(Boolean) && html`<small>${[one.article, one.paper, one.limit].filter(Boolean).join("；")}</small>`}</li>`)}
    </ol>
  </details>`;
}

/** The firms of a parcel that several use, each with its own figure. @param {{firms: any[]}} props */
function FirmsRead({ firms }) {
  if (firms.length < 2) return null;
  return html`<table class="table">
    <caption>宗地上的企业</caption>
    <thead><tr><th scope="col">企业</th><th scope="col" class="num">数值</th></tr></thead>
    <tbody>${firms.map((one, place) => html`<tr key=${place}>
      <th scope="row">${one.holder ?? one.firm_id}</th><td class="num">${figure(one.value, one.unit)}<small>${one.level === "inefficient" ? "低于标准" : "未能评估"}</small></td>
    </tr>`)}</tbody>
  </table>`;
}

/** @type {Record<string, string>} how a value stands to the threshold of a rule that is met */
const COMPARED = { below: "低于标准", at_most: "不高于标准", above: "高于标准", at_least: "不低于标准" };

/** Scores list their components where rules list their criteria. @param {Record<string, any>} reading */
const score = (reading) => Array.isArray(reading.criteria) && reading.criteria.some((/** @type {any} */ one) => "points" in one);

/** What was measured against what, a line each. @param {Record<string, any>} reading @param {boolean} met @returns {string[]} */
export function measures(reading, met) {
  if (!reading.measure) return [];
  if (score(reading) || reading.grade) {
    const place = reading.rank ? `，第 ${number(reading.rank)} 名（参评 ${number(reading.ranked)} 家）` : "";
    const next = typeof reading.threshold === "number" ? `；上一等级 ${figure(reading.threshold, reading.unit)}` : "";
    return [`${reading.measure} ${figure(reading.value, reading.unit)}${reading.grade ? `，${reading.grade} 级` : ""}${place}${next}`];
  }
  return (reading.criteria ?? [reading]).map((/** @type {any} */ one) => {
    const [value, threshold] = told(one.value, one.threshold);
    const against = one.threshold === null || one.threshold === undefined ? "" : `，${met ? (COMPARED[one.comparison] ?? "标准") : "标准"} ${unit(threshold, one.unit)}`;
    return `${one.measure} ${unit(value, one.unit)}${against}`;
  });
}

/** Two figures with as many digits as it takes to see that they differ. @param {unknown} a @param {unknown} b */
function told(a, b) {
  const few = [a, b].map((one) => (typeof one === "number" ? number(one, 2) : ""));
  if (few[0] !== few[1] || a === b) return few;
  return [a, b].map((one) => (typeof one === "number" ? String(Number(one.toPrecision(8))) : ""));
}

/** @param {string} text @param {string} [name] */
const unit = (text, name) => (text ? `${text} ${name ?? ""}`.trim() : "无数据");

/** @param {unknown} value @param {string} [name] */
const figure = (value, name) => unit(typeof value === "number" ? number(value, 2) : "", name);

/** @type {Record<string, string>} names of what a rule was read with, as far as it is not told elsewhere */
const READINGS = {
  start_due: "应动工日期", start_due_basis: "应动工日期依据", discretionary: "须由机关裁量", per: "汇总口径", area_basis: "用地面积口径",
  floor_area_basis: "建筑面积口径", footprint_basis: "基底面积口径", score_group: "评分组", population: "参评范围", note: "说明", status: "标准核实情况",
  firm_count: "企业数", covered_basis: "覆盖面积口径",
};

/** @param {Record<string, any>} reading @returns {[string, string][]} */
const readings = (reading) =>
  Object.entries(READINGS).filter(([key]) => reading[key] !== null && reading[key] !== undefined).map(([key, zh]) => [zh, quantity(reading[key])]);

/** A finding is a suspicion until an official confirms it. @param {string | undefined} state */
const confidence = (state) => (!state || state === "suspected" ? "疑似，待确认" : word(state));

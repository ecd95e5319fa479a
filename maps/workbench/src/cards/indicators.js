// What was measured of a parcel, and of the firms that use it: figures with units, score, grade and place.
import { html } from "../view.js";
import { fieldValue, number } from "../wording.js";
import { ScoreParts } from "./evidence.js";

/** @typedef {import("../service.js").Value} Value */
/** @typedef {import("../service.js").Firm} Firm */

/** What a firm's heading tells. */
const HEADING = new Set(["score", "rank", "ranked", "grade", "score_group"]);
const COUNTS = /** @type {Record<string, string>} */ ({ firm_count: "家", building_count: "幢", parcel_count: "宗" });

/** @param {{indicators: {values: Value[], missing: {zh: string}[]} | null | undefined, firms: Firm[]}} props */
export function Indicators({ indicators, firms }) {
  return html`${indicators && html`<section class="indicators" aria-label="宗地指标">
      <h3>宗地指标</h3>
      <${Values} values=${indicators.values} missing=${indicators.missing} />
    </section>`}
    ${firms.length > 0 && html`<section class="firms" aria-label="用地企业">
      <h3>用地企业（${firms.length} 家）</h3>
      ${firms.map((firm) => html`<${FirmView} key=${firm.firm_id} firm=${firm} />`)}
    </section>`}`;
}

/** @param {{values: Value[], missing: {zh: string}[]}} props */
function Values({ values, missing }) {
  return html`<table class="table">
      <thead class="unseen"><tr><th scope="col">指标</th><th scope="col">数值</th></tr></thead>
      <tbody>${values.map((one) => html`<tr key=${one.field}>
        <th scope="row">${one.zh}</th><td class="value">${COUNTS[one.field] ? `${number(one.value)} ${COUNTS[one.field]}` : fieldValue(one.field, one.value, one.unit)}</td>
      </tr>`)}</tbody>
    </table>
    ${missing.length > 0 && html`<p class="missing">未能计算，缺少：${missing.map((one) => one.zh).join("、")}</p>`}`;
}

/** @param {{firm: Firm}} props */
function FirmView({ firm }) {
  const value = (/** @type {string} */ field) => firm.values.find((one) => one.field === field)?.value;
  const [score, rank, ranked, grade] = ["score", "rank", "ranked", "grade"].map(value);
  const next = firm.evidence?.to_next;
  return html`<details class="firm fold">
    <summary><b>${firm.holder ?? firm.firm_id}</b>
      ${grade !== undefined && html`<span class="grade">${grade === "T" ? "不参评" : `${grade} 级`}</span>`}
      ${score !== undefined && html`<small>得分 ${number(score, 2)}${rank === undefined ? "" : `，第 ${number(rank)} 名（参评 ${number(ranked)} 家）`}</small>`}
      ${firm.credit_code && html`<small>统一社会信用代码 ${firm.credit_code}</small>`}</summary>
    ${next && typeof next.value === "number" && html`<p class="shortfall"><b>升 ${next.grade} 级</b> ${next.zh}还差 ${fieldValue("", next.value, next.unit)}（达到 ${number(next.score, 2)} 分）</p>`}
    <${ScoreParts} parts=${firm.evidence?.parts ?? []} />
    <${Values} values=${firm.values.filter((one) => !HEADING.has(one.field))} missing=${firm.missing} />
  </details>`;
}

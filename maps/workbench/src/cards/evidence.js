// What a finding rests on: values with the file and row they came from, and the values of the rule set that were used.
import { html } from "../view.js";
import { fieldValue, number, quantity, sourceText } from "../wording.js";

/** @typedef {import("../service.js").Evidence} Item */
/** @typedef {import("../service.js").Loads} Loads */

/** Values that one row of a file states, under the name of that row. @param {{evidence: Item[], loads: Loads}} props */
export function EvidenceTable({ evidence, loads }) {
  if (!evidence.length) return null;
  /** @type {Map<string, Item[]>} */
  const bySource = new Map();
  for (const item of evidence) {
    const source = sourceText(item.source, loads);
    bySource.set(source, [...(bySource.get(source) ?? []), item]);
  }
  return html`<table class="table evidence">
    <caption>依据</caption>
    <thead class="unseen"><tr><th scope="col">项目</th><th scope="col">数值</th></tr></thead>
    ${[...bySource].map(([source, items]) => html`<tbody key=${source}>
      <tr><th class="origin" colspan="2" scope="rowgroup">来源：${source}</th></tr>
      ${items.map((one, place) => html`<tr key=${place}>
        <th scope="row">${one.zh}</th><td class="value">${fieldValue(one.field, one.value, one.unit)}</td>
      </tr>`)}
    </tbody>`)}
  </table>`;
}

/** @param {{parameters: import("../service.js").Parameter[]}} props */
export function Parameters({ parameters }) {
  if (!parameters.length) return null;
  const open = parameters.filter((one) => one.status === "unverified").length;
  return html`<details class="fold"><summary>规则取值（${parameters.length} 项${open ? `，其中 ${open} 项未核实` : ""}）</summary>
    <table class="table">
      <thead><tr><th scope="col">取值</th><th scope="col">内容</th><th scope="col">核实情况</th></tr></thead>
      <tbody>${parameters.map((one) => html`<tr key=${one.key}>
        <th scope="row">${one.zh}</th><td class="break">${quantity(one.value)}</td><td><${Status} status=${one.status} title=${one.status_title} /></td>
      </tr>`)}</tbody>
    </table>
  </details>`;
}

/** How sure a value of the rules is. @param {{status: string, title: string}} props */
export const Status = ({ status, title }) => html`<span class=${`status ${status}`}>${title}</span>`;

/** How a score is made up. @param {{parts: any[]}} props */
export function ScoreParts({ parts }) {
  if (!parts.length) return null;
  return html`<table class="table parts">
    <caption>得分构成</caption>
    <thead><tr><th scope="col">指标</th><th scope="col" class="num">数值 / 基准</th><th scope="col" class="num">得分 / 权重</th></tr></thead>
    <tbody>${parts.map((one) => html`<tr key=${one.measure}>
      <th scope="row">${one.zh} ${one.status === "unverified" && html`<${Status} status=${one.status} title="未核实" />`}
        ${one.note && html`<small>${one.note}</small>`}</th>
      <td class="num">${one.value === null ? "无数据" : quantity(one.value, one.unit)}<small>基准 ${quantity(one.benchmark, one.unit)}</small></td>
      <td class="num">${one.points === null ? "不计" : number(one.points, 2)}<small>权重 ${number(one.weight, 1)}</small></td>
    </tr>`)}</tbody>
  </table>`;
}

// What the newest run found otherwise than the one before: asked for when somebody wants to see it.
import * as service from "../service.js";
import { html, useState } from "../view.js";
import { day, money, mu, muOf, number } from "../wording.js";

const SHOWN = 20;

/** @param {{runId: string, rules: Record<string, string>, onOpen: (parcelId: string) => void}} props */
export function ChangesView({ runId, rules, onOpen }) {
  const [told, setTold] = useState(/** @type {service.Changes | null | undefined} */ (undefined));
  const [problem, setProblem] = useState("");
  const ask = (/** @type {any} */ event) => {
    if (!event.currentTarget.open || told !== undefined) return;
    service.changes(runId, SHOWN).then((got) => { setTold(got); setProblem(""); }, (error) => setProblem(error.message));
  };
  return html`<details class="fold changes" onToggle=${ask}>
    <summary>与上次分析相比</summary>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${told === undefined && !problem && html`<p class="hint" role="status">正在载入…</p>`}
    ${told === null && html`<p class="hint">之前没有可比较的分析批次。</p>`}
    ${told && html`<${Compared} told=${told} rules=${rules} onOpen=${onOpen} />`}
  </details>`;
}

/** @param {{told: service.Changes, rules: Record<string, string>, onOpen: (parcelId: string) => void}} props */
function Compared({ told, rules, onOpen }) {
  const { before, after } = told;
  return html`<p class="footnote">${day(before.as_of)}（${before.ruleset}）→ ${day(after.as_of)}（${after.ruleset}）</p>
    ${told.summary.length === 0 && html`<p class="hint">两次分析的认定没有变化。</p>`}
    ${told.summary.length > 0 && html`<table class="table">
      <thead><tr><th scope="col">变化</th><th scope="col" class="num">宗</th><th scope="col" class="num">亩</th><th scope="col" class="num">闲置费</th></tr></thead>
      <tbody>${told.summary.map((row) => html`<tr key=${`${row.kind}${row.change}`} data-change=${`${row.kind}:${row.change}`}>
        <th scope="row">${row.kind_title}：${row.change_title}${row.not_in_layer > 0 && html`<small>其中 ${number(row.not_in_layer)} 宗已不在图层中</small>`}</th>
        <td class="num">${number(row.parcels)}</td><td class="num">${muOf(row.mu)}</td><td class="num">${fees(row)}</td>
      </tr>`)}</tbody>
    </table>
    <ul class="plain-list">${told.changes.map((one) => html`<li key=${`${one.parcel_id}${one.rule}`}>
      ${one.in_layer === false ? one.parcel_id : html`<button class="link" onClick=${() => onOpen(one.parcel_id)}>${one.holder || one.parcel_id}</button>`}
      <small>${one.change_title}：${path(one)}（${rules[one.rule] ?? one.rule}），${[one.town, `${mu(one.area_m2)} 亩`, one.reason].filter(Boolean).join("，")}</small>
    </li>`)}</ul>
    ${told.matched > told.changes.length && html`<p class="footnote">共 ${number(told.matched)} 条变化，列出前 ${told.changes.length} 条；全部可由查询接口取得：/runs/${after.run_id}/changes。</p>`}`}`;
}

/** @param {service.ChangeSum} row */
function fees({ before_fee_yuan: before, after_fee_yuan: after }) {
  if (before === after) return money(after);
  return html`${money(after)}<small>原 ${money(before)}</small>`;
}

/** @param {service.Change} one */
const path = (one) => [one.before_level_title, one.after_level_title].filter(Boolean).join(" → ");

// What the plots rest on and could not be assessed: said beside the result, not only in its file.
import { html } from "../view.js";
import { mu, number, word } from "../wording.js";

/** @type {Record<string, string>} */
const LACKING = { grade: "等级", voltage_kv: "电压", setting: "所处位置", width_m: "宽度" };

/** @param {import("../service.js").Summary} summary @returns {string[]} */
export function caveats({ coverage, unassessed_barriers, unassessed_setbacks, slope }) {
  const told = [];
  if (coverage?.dirty) {
    told.push(`参选宗地的图形衔接有误差：相邻界线不重合 ${number(coverage.apart_m)} 米，重叠 ${number(coverage.overlap_m2)} 平方米；连片按距离判断，重叠只计一次。`);
  }
  if (unassessed_barriers?.length) told.push(`${number(unassessed_barriers.length)} 条地方道路没有宽度，按不可跨接处理。`);
  for (const { kind, missing, barrier_id } of unassessed_setbacks ?? []) {
    const lacking = missing.map((/** @type {string} */ name) => LACKING[name] ?? name).join("、");
    told.push(`退让未能评估：${word(kind)} ${number(barrier_id.length)} 条，缺少${lacking}。`);
  }
  if (slope?.assessed === false) told.push("坡度未评估：没有高程。");
  else if (slope?.not_assessed_m2 > 0) told.push(`坡度未能评估：${mu(slope?.not_assessed_m2)} 亩没有高程，未扣除陡坡。`);
  return told;
}

/** @param {{summary: import("../service.js").Summary}} props */
export function Caveats({ summary }) {
  const told = caveats(summary);
  if (!told.length) return null;
  return html`<details class="fold caveats">
    <summary>数据与未能评估（${number(told.length)} 项）</summary>
    <ul class="plain-list">${told.map((line) => html`<li key=${line}>${line}</li>`)}</ul>
  </details>`;
}

// What a plot consists of, in small tables that are folded away: owners, towns, uses and planned uses.
import { html } from "../view.js";
import { landUse, mu, number, percent } from "../wording.js";

const SHOWN = 30;
const LEAST_M2 = 1;

/** @param {{evidence: Record<string, any>, landUses: Record<string, string>}} props */
export function Mix({ evidence, landUses }) {
  const use = (/** @type {any} */ row) =>
    row.land_use === "unplanned" ? "未规划" : row.land_use ? landUse(row.land_use, landUses) : "未载明";
  // What rounds to no land at all is the rounding of a border, not a use.
  const [owners, towns, uses, planned] = ["owners", "towns", "land_use", "planned_use"].map((key) =>
    (evidence[key] ?? []).filter((/** @type {any} */ row) => row.area_m2 >= LEAST_M2));
  return html`
    <${Folded} title="权利人" rows=${owners} name=${(/** @type {any} */ row) => row.holder ?? "未载明"}
      more=${(/** @type {any} */ row) => `${number(row.parcels)} 宗`} />
    ${towns.length > 1 && html`<${Folded} title="乡镇街道" rows=${towns} name=${(/** @type {any} */ row) => row.town ?? "未载明"} />`}
    <${Folded} title="现状用途" rows=${uses} name=${use} more=${(/** @type {any} */ row) => percent(row.share)} />
    <${Folded} title="规划用途" rows=${planned} name=${use} more=${(/** @type {any} */ row) => percent(row.share)} />`;
}

/** @param {{title: string, rows: any[], name: (row: any) => string, more?: (row: any) => string}} props */
function Folded({ title, rows, name, more }) {
  if (!rows.length) return null;
  return html`<details class="fold mix">
    <summary>${title}（${number(rows.length)}）<small>${name(rows[0])}${rows.length > 1 ? " 等" : ""}</small></summary>
    <table class="table"><tbody>${rows.slice(0, SHOWN).map((row, place) => html`<tr key=${place}>
      <th scope="row" class="break">${name(row)}</th>${more && html`<td class="num">${more(row)}</td>`}<td class="num">${mu(row.area_m2)} 亩</td>
    </tr>`)}</tbody></table>
    ${rows.length > SHOWN && html`<p class="hint">另有 ${number(rows.length - SHOWN)} 项，共 ${mu(rows.slice(SHOWN).reduce((sum, row) => sum + row.area_m2, 0))} 亩。</p>`}
  </details>`;
}

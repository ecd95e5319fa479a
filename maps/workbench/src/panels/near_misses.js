// Groups that are nearly a plot: what they lack, and which neighbour would lift them.
import { html } from "../view.js";
import { mu, muOf, number } from "../wording.js";

/** The entry that would help most: the first that is enough, else what adds most. @param {any[]} help */
export const chiefHelp = (help) => help.find((one) => one.enough) ?? help[0];

/** @param {{misses: any[], least: string, onShow: (bounds: [number, number, number, number]) => void}} props */
export function NearMisses({ misses, least, onShow }) {
  if (!misses.length) return null;
  return html`<details class="fold near-misses">
    <summary>差一点够 ${least} 亩的（${number(misses.length)} 组）</summary>
    <ol class="rows">${misses.map((group) => {
      const help = chiefHelp(group.help);
      return html`<li key=${group.parcel_ids[0]}>
        <button class="row" onClick=${() => onShow(group.bounds)}>
          <span class="row-main">
            <span class="row-title">差 ${mu(group.short_m2)} 亩</span>
            <span class="row-note">${number(group.parcel_count)} 宗：${group.parcel_ids.slice(0, 3).join("、")}${group.parcel_count > 3 ? " 等" : ""}</span>
            ${help
              ? html`<span class="row-note help">${help.enough ? "并入" : "即使并入"} ${help.parcel_id}（${help.zh}）：${muOf(help.if_added_mu)} 亩</span>`
              : html`<span class="row-note help">附近没有可以并入的宗地</span>`}
          </span>
          <span class="row-figure"><b>${mu(group.area_m2)}</b> 亩</span>
        </button>
      </li>`;
    })}</ol>
  </details>`;
}

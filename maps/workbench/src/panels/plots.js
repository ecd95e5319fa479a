// Contiguous plots, the largest first, and how their number depends on the gap that may be bridged.
import { html } from "../view.js";
import { hectares, mu, muOf, number, percent } from "../wording.js";

/** @typedef {import("../service.js").Feature} Feature */

/**
 * @param {{plots: Feature[] | null, summary: import("../service.js").Summary | undefined, selected: string,
 *   onOpen: (id: string) => void}} props
 */
export function PlotsPanel({ plots, summary, selected, onOpen }) {
  if (!plots) return html`<p class="hint" role="status">正在载入…</p>`;
  const largest = plots[0]?.properties.area_m2 ?? 1;
  return html`<div>
    <${Ladder} steps=${summary?.ladder ?? []} />
    ${plots.length === 0 && html`<p class="hint">本次分析没有找到 500 亩以上的连片工业用地。</p>`}
    <ol class="rows" aria-label="连片地块，按面积排序">
      ${plots.map(({ properties: plot }, place) => html`<li key=${plot.plot_id}>
        <button class="row" aria-current=${selected === plot.plot_id} onClick=${() => onOpen(plot.plot_id)}>
          <span class="place">${place + 1}</span>
          <span class="row-main">
            <span class="row-title">${plot.name ?? plot.plot_id}</span>
            <span class="row-note">
              ${[plot.town, `${number(plot.parcel_count)} 宗`, `${number(plot.holder_count)} 个权利人`].filter(Boolean).join(" · ")}
            </span>
            <span class="bar" aria-hidden="true"><i style=${{ width: `${(100 * plot.area_m2) / largest}%` }}></i></span>
            <span class="row-note">闲置 ${percent(plot.idle_share)} · 低效 ${percent(plot.inefficient_share)}</span>
          </span>
          <span class="row-figure"><b>${mu(plot.area_m2)}</b> 亩<small>${hectares(plot.area_m2)} 公顷</small></span>
        </button>
      </li>`)}
    </ol>
  </div>`;
}

/** @param {{steps: {gap_m: number, plots: number, mu: number}[]}} props */
function Ladder({ steps }) {
  if (!steps.length) return null;
  const most = Math.max(...steps.map((step) => step.mu), 1);
  return html`<section class="ladder" aria-label="间距与连片规模">
    <h3>允许的间距越大，连成的地越多</h3>
    <table>
      <tbody>
        ${steps.map((step) => html`<tr key=${step.gap_m}>
          <th scope="row">${number(step.gap_m, 1)} 米</th>
          <td class="ladder-bar"><span class="bar" aria-hidden="true"><i style=${{ width: `${(100 * step.mu) / most}%` }}></i></span></td>
          <td class="num">${number(step.plots)} 块</td>
          <td class="num">${muOf(step.mu)} 亩</td>
        </tr>`)}
      </tbody>
    </table>
  </section>`;
}

// Contiguous plots, the largest first, and how their number depends on the gap that may be bridged.
import { html } from "../view.js";
import { hectares, mu, number, percent } from "../wording.js";
import { Caveats } from "./caveats.js";
import { Ladder, withCurrent } from "./ladder.js";
import { NearMisses } from "./near_misses.js";

/** @typedef {import("../service.js").Feature} Feature */

const M2_PER_MU = 2000 / 3;

/**
 * @param {{plots: Feature[] | null, run: import("../service.js").Run, selected: string, onOpen: (id: string) => void,
 *   onShow: (bounds: [number, number, number, number]) => void}} props
 */
export function PlotsPanel({ plots, run, selected, onOpen, onShow }) {
  if (!plots) return html`<p class="hint" role="status">正在载入…</p>`;
  const { summary, parameters } = run;
  const least = number((parameters.plots?.min_area_m2 ?? 500 * M2_PER_MU) / M2_PER_MU, 1);
  const largest = plots[0]?.properties.area_m2 ?? 1;
  return html`<div>
    <${Ladder} steps=${withCurrent(summary.ladder ?? [], parameters.plots?.gap_m, summary)} />
    <${Caveats} summary=${summary} />
    ${plots.length === 0 && html`<p class="hint">本次分析没有找到 ${least} 亩以上的连片工业用地。</p>`}
    <ol class="rows" aria-label="连片地块，按面积排序">
      ${plots.map(({ properties: plot }, place) => html`<li key=${plot.plot_id}>
        <button class="row" aria-current=${selected === plot.plot_id} onClick=${() => onOpen(plot.plot_id)}>
          <span class="place">${place + 1}</span>
          <span class="row-main">
            <span class="row-title">${plot.name ?? plot.plot_id}</span>
            <span class="row-note">
              ${[plot.town, `${number(plot.parcel_count)} 宗`, plot.holder_count ? `${number(plot.holder_count)} 个权利人` : "权利人未载明"].filter(Boolean).join(" · ")}
            </span>
            <span class="bar" aria-hidden="true"><i style=${{ width: `${(100 * plot.area_m2) / largest}%` }}></i></span>
            <span class="row-note">闲置 ${percent(plot.idle_share)} · 低效 ${percent(plot.inefficient_share)}</span>
          </span>
          <span class="row-figure"><b>${mu(plot.area_m2)}</b> 亩<small>${hectares(plot.area_m2)} 公顷</small></span>
        </button>
      </li>`)}
    </ol>
    <${NearMisses} misses=${summary.near_misses ?? []} least=${least} onShow=${onShow} />
  </div>`;
}

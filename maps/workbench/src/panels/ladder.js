// How the plots depend on the gap that may be bridged: the tolerance decides the answer, so it stands beside it.
import { html } from "../view.js";
import { muOf, number } from "../wording.js";

/** @typedef {{gap_m: number, plots: number, mu: number, groups?: number, current?: boolean}} Step */

/**
 * The steps with the run's own gap among them and marked.
 * @param {Step[]} steps @param {number | undefined} gap_m @param {{plots: number, plots_mu: number} | undefined} result @returns {Step[]}
 */
export function withCurrent(steps, gap_m, result) {
  if (gap_m === undefined || !result) return steps;
  const listed = steps.some((step) => step.gap_m === gap_m);
  const all = listed ? steps : [...steps, { gap_m, plots: result.plots, mu: result.plots_mu }];
  return all.map((step) => ({ ...step, current: step.gap_m === gap_m })).sort((a, b) => a.gap_m - b.gap_m);
}

/** @param {{steps: Step[]}} props */
export function Ladder({ steps }) {
  if (!steps.length) return null;
  const most = Math.max(...steps.map((step) => step.mu), 1);
  const alone = steps.some((step) => step.groups !== undefined);
  return html`<section class="ladder" aria-label="间距与连片规模">
    <h3>允许的间距越大，连成的地越多</h3>
    <table>
      <thead><tr><th scope="col">间距</th><th></th><th scope="col" class="num">地块</th><th scope="col" class="num">面积</th>
        ${alone && html`<th scope="col" class="num" title="不看相对边长、阻隔和宽度，只按距离归组">仅按距离</th>`}</tr></thead>
      <tbody>
        ${steps.map((step) => html`<tr key=${step.gap_m} class=${step.current ? "current" : ""} aria-current=${step.current ? "true" : undefined}>
          <th scope="row">${number(step.gap_m, 1)} 米${step.current ? html`<small>本次</small>` : ""}</th>
          <td class="ladder-bar"><span class="bar" aria-hidden="true"><i style=${{ width: `${(100 * step.mu) / most}%` }}></i></span></td>
          <td class="num">${number(step.plots)} 块</td>
          <td class="num">${muOf(step.mu)} 亩</td>
          ${alone && html`<td class="num">${step.groups === undefined ? "—" : `${number(step.groups)} 组`}</td>`}
        </tr>`)}
      </tbody>
    </table>
  </section>`;
}

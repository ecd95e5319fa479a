// The bar at the top: the product and the district in four figures.
import { html } from "./view.js";
import { day, muOf, number } from "./wording.js";

/** @param {{run: import("./service.js").Run | null}} props */
export function Headline({ run }) {
  const found = run?.summary;
  return html`<header class="topbar">
    <div class="brand">
      <svg width="34" height="34" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M4 6h10v8H4zM16 6h12v8H16zM4 16h13v10H4zM19 16h9v10h-9z" fill="#e9b44c" />
        <path d="M4 6h24v20H4z" fill="none" stroke="#fff" stroke-width="2" stroke-linejoin="round" />
      </svg>
      <div><h1>连片</h1><p>土地等项目 · 全区一张图</p></div>
    </div>
    ${found && html`<dl class="figures">
      <${Figure} name="宗地" value=${number(found.parcels)} unit="宗" note=${`${muOf(found.parcels_mu)} 亩`} tone="parcels" />
      <${Judged} name="疑似闲置" count=${found.idle} mu=${found.idle_mu} tone="idle" />
      <${Judged} name="疑似低效" count=${found.inefficient} mu=${found.inefficient_mu} tone="inefficient" />
      <${Figure} name="500 亩以上连片" value=${number(found.plots)} unit="块" note=${`${muOf(found.plots_mu)} 亩`} tone="plots" />
    </dl>`}
    ${run && html`<div class="run-note">
      <span>分析基准日 ${day(run.as_of)}</span>
      <span title=${run.run_id}>${run.ruleset_title ?? run.ruleset}</span>
    </div>`}
  </header>`;
}

/**
 * A figure that may be unknown: nothing to judge by is not the same as nothing found.
 * @param {{name: string, count: number | null, mu: number | null, tone: string}} props
 */
function Judged({ name, count, mu, tone }) {
  return count === null || mu === null
    ? html`<${Figure} name=${name} value="未评估" unit="" note="缺少数据" tone=${tone} />`
    : html`<${Figure} name=${name} value=${number(count)} unit="宗" note=${`${muOf(mu)} 亩`} tone=${tone} />`;
}

/** @param {{name: string, value: string, unit: string, note: string, tone: string}} props */
function Figure({ name, value, unit, note, tone }) {
  return html`<div class=${`figure ${tone}`}>
    <dt>${name}</dt>
    <dd><b>${value}</b><span class="unit">${unit}</span><small>${note}</small></dd>
  </div>`;
}

// Why a plot is not larger: the nearest land that is not in it, what keeps it out, what it would add.
import { html, useState } from "../view.js";
import { landUse, mu, muOf, number } from "../wording.js";

const SHOWN = 6;

/** @type {Record<string, string>} */
export const REASONS = {
  barrier: "有阻隔", short_frontage: "相对边长不足", corner: "仅角点相接", too_far: "间距过大", cut_corridor: "通道过窄",
  other_plot: "另一地块", excluded: "全部扣除", not_eligible: "不符合参选条件",
};

/**
 * Entries by reason, in the order in which they come; what adds most stays first.
 * @param {{reason: string, area_m2: number}[]} entries @returns {[string, number, number][]} reason, count, m²
 */
export function byReason(entries) {
  /** @type {Map<string, [string, number, number]>} */
  const sums = new Map();
  for (const { reason, area_m2 } of entries) {
    const sum = sums.get(reason) ?? [reason, 0, 0];
    sums.set(reason, [reason, sum[1] + 1, sum[2] + area_m2]);
  }
  return [...sums.values()];
}

/**
 * @param {{why: {entries: any[], rest: number, rest_m2: number} | undefined, landUses: Record<string, string>, pointed: string,
 *   onPoint: (parcel: string) => void, onOpenParcel: (parcel: string) => void, onOpenPlot: (plot: string) => void}} props
 */
export function WhyNotLarger({ why, landUses, pointed, onPoint, onOpenParcel, onOpenPlot }) {
  const [all, setAll] = useState(false);
  const { entries, rest, rest_m2 } = why ?? { entries: [], rest: 0, rest_m2: 0 };
  if (!entries.length) return html`<h3>为何不更大</h3><p class="hint">附近没有可以并入的宗地。</p>`;
  return html`<section class="why-not" aria-label="为何不更大">
    <h3>为何不更大</h3>
    <p class="hint sums">${byReason(entries).map(([reason, count]) => `${REASONS[reason] ?? reason} ${count}`).join(" · ")}</p>
    <ol class="plain-list">${entries.slice(0, all ? undefined : SHOWN).map((one) => html`<li key=${`${one.parcel_id} ${one.reason}`} data-reason=${one.reason}>
      <p class="why">
        <button class="link code" aria-pressed=${pointed === one.parcel_id} title="在地图上显示" onClick=${() => onPoint(one.parcel_id)}>${one.parcel_id}</button>
        <b>+${mu(one.area_m2)} 亩</b>
      </p>
      <p class="because">${one.zh}</p>
      <small>${[one.holder, one.land_use && landUse(one.land_use, landUses), `并入后 ${muOf(one.if_added_mu)} 亩`,
        one.group_area_m2 && `连同与其相连的共 ${mu(one.group_area_m2)} 亩`].filter(Boolean).join(" · ")}
        ${" "}<button class="link" onClick=${() => (one.plot ? onOpenPlot(one.plot) : onOpenParcel(one.parcel_id))}>${one.plot ? "看地块" : "看宗地"}</button></small>
    </li>`)}</ol>
    ${!all && entries.length > SHOWN && html`<button class="plain wide" onClick=${() => setAll(true)}>显示全部 ${entries.length} 处</button>`}
    ${rest > 0 && html`<p class="hint">另有 ${number(rest)} 处，共 ${mu(rest_m2)} 亩，未逐一列出。</p>`}
  </section>`;
}

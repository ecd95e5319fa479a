// A plot: how large, of which parcels, joined across what, what it lost and what holds it back from its neighbours.
import * as service from "../service.js";
import { html, useEffect, useState } from "../view.js";
import { GRAVEST_FIRST, hectares, landUse, mu, number, percent, word } from "../wording.js";
import { Area, Card, Facts } from "./card.js";
import { Mix } from "./plot_mix.js";
import { FitForm, Shape } from "./plot_shape.js";
import { WhyNotLarger } from "./why_not.js";

const MEMBERS_SHOWN = 12;

/**
 * @param {{id: string, landUses: Record<string, string>, levels: Record<string, {zh: string, colour: string}>,
 *   onDraw: (shapes: import("../map.js").Drawn) => void, onPoint: (id: string) => void, onOpenParcel: (id: string) => void,
 *   onOpenPlot: (id: string) => void, onClose: () => void}} props
 */
export function PlotCard({ id, landUses, levels, onDraw, onPoint, onOpenParcel, onOpenPlot, onClose }) {
  const [answer, setAnswer] = useState(/** @type {service.Plot | null} */ (null));
  const [problem, setProblem] = useState("");
  const [all, setAll] = useState(false);
  const [pointed, setPointed] = useState("");
  useEffect(() => {
    let current = true;
    setAnswer(null);
    setProblem("");
    setAll(false);
    setPointed("");
    service.plot(id).then(
      (got) => {
        if (!current) return;
        setAnswer(got);
        onDraw(drawnOf(got.evidence));
      },
      (error) => current && setProblem(error.message),
    );
    return () => void (current = false);
  }, [id]);

  const plot = answer?.plot ?? {};
  const evidence = answer?.evidence ?? {};
  const members = [...(answer?.members ?? [])].sort((a, b) => b.area_m2 - a.area_m2);
  const parcelLink = (/** @type {string} */ parcel) =>
    html`<button class="link code" onClick=${() => onOpenParcel(parcel)}>${parcel}</button>`;
  const point = (/** @type {string} */ parcel) => {
    setPointed(parcel);
    onPoint(parcel);
  };
  const gravest = (/** @type {Record<string, any>} */ member) =>
    levels[GRAVEST_FIRST.find((level) => member.finding_level.includes(level)) ?? ""];
  return html`<${Card} kind="plot" id=${id} eyebrow="连片地块" title=${plot.name ?? id} ready=${answer !== null} problem=${problem} onClose=${onClose}>
    ${answer && html`
      <${Area} mu=${mu(plot.area_m2)} ha=${hectares(plot.area_m2)} note=${strict(plot)} />
      <${Facts} rows=${[
        ["编号", id],
        ["乡镇街道", plot.town],
        ["宗地", `${number(plot.parcel_count)} 宗`],
        ["权利人", plot.holder_count ? `${number(plot.holder_count)} 个` : "未载明"],
        ["闲置占比", percent(plot.idle_share)],
        ["低效占比", percent(plot.inefficient_share)],
      ]} />
      <${Shape} plot=${plot} evidence=${evidence} />
      <${FitForm} id=${id} onPlacement=${(/** @type {any} */ corners) => onDraw({ ...drawnOf(evidence), placement: corners })} />
      <${WhyNotLarger} key=${id} why=${evidence.why_not_larger} landUses=${landUses} pointed=${pointed}
        onPoint=${point} onOpenParcel=${onOpenParcel} onOpenPlot=${onOpenPlot} />
      <${Mix} evidence=${evidence} landUses=${landUses} />
      <h3>成员宗地</h3>
      <table class="table members">
        <thead><tr><th>宗地 / 使用权人</th><th class="num">计入（亩）</th><th class="num">占宗地</th></tr></thead>
        <tbody>${members.slice(0, all ? undefined : MEMBERS_SHOWN).map((member) => html`<tr key=${member.parcel_id}>
          <td>
            <i class="dot" style=${{ background: gravest(member)?.colour ?? "#e3dccd" }}></i>
            ${parcelLink(member.parcel_id)}
            <small>${[member.holder, member.land_use && landUse(member.land_use, landUses), ...member.finding_level.map((/** @type {string} */ level) => levels[level]?.zh)].filter(Boolean).join(" · ")}</small>
          </td>
          <td class="num">${mu(member.area_m2)}</td><td class="num">${percent(member.share)}</td>
        </tr>`)}</tbody>
      </table>
      ${!all && members.length > MEMBERS_SHOWN && html`<button class="plain wide" onClick=${() => setAll(true)}>显示全部 ${members.length} 宗</button>`}
      <${Bridges} bridges=${evidence.bridges ?? []} landUses=${landUses} parcelLink=${parcelLink} />
      <${Exclusions} exclusions=${evidence.exclusions ?? []} />
      <${Separations} separations=${evidence.separated_by ?? []} parcelLink=${parcelLink} onOpenPlot=${onOpenPlot} />
    `}
  </${Card}>`;
}

/** What the map draws of a plot's evidence. @param {Record<string, any> | undefined} evidence @returns {import("../map.js").Drawn} */
const drawnOf = (evidence) => ({
  circle: evidence?.inscribed_circle ?? null, rectangle: evidence?.inscribed_rectangle ?? null, placement: null,
});

/** What remains without bridging any gap. @param {Record<string, any>} plot */
function strict(plot) {
  if (typeof plot.strict_area_m2 !== "number") return "";
  return plot.strict_area_m2 > 0 ? `严格口径（间距 0）${mu(plot.strict_area_m2)} 亩` : "严格口径（间距 0）不成片";
}

/** @param {{bridges: any[], landUses: Record<string, string>, parcelLink: (id: string) => any}} props */
function Bridges({ bridges, landUses, parcelLink }) {
  if (!bridges.length) return html`<h3>跨接</h3><p class="hint">各宗地直接相邻，没有跨越间隙。</p>`;
  return html`<h3>跨接（${bridges.length} 处）</h3>
    <table class="table">
      <thead><tr><th>两侧宗地</th><th class="num">间距</th><th class="num">共边</th><th class="num">相对</th></tr></thead>
      <tbody>${bridges.map((bridge, place) => html`<tr key=${place}>
        <td>${parcelLink(bridge.a)} ↔ ${parcelLink(bridge.b)}
          ${between(bridge.between, landUses) && html`<small>中间：${between(bridge.between, landUses)}</small>`}
        </td>
        <td class="num">${number(bridge.gap_m, 1)} 米</td>
        <td class="num">${bridge.shared_m === undefined ? "—" : `${number(bridge.shared_m)} 米`}</td>
        <td class="num">${number(bridge.facing_m)} 米</td>
      </tr>`)}</tbody>
    </table>`;
}

/** What lies in a gap, named as far as it is known. @param {unknown} things @param {Record<string, string>} landUses */
export function between(things, landUses) {
  if (!Array.isArray(things)) return typeof things === "string" ? word(things) : "";
  return things.map((thing) => {
    if (typeof thing === "string") return word(thing);
    const name = thing.name ?? thing.holder ?? thing.parcel_id;
    const kind = thing.barrier ?? thing.kind;
    const wide = typeof thing.width_m === "number" ? `宽 ${number(thing.width_m, 1)} 米` : "";
    return [thing.zh ?? (kind ? word(kind) : landUse(thing.land_use, landUses)), name, wide].filter((part) => part && part !== "—").join(" ");
  }).filter(Boolean).join("、");
}

/** @param {{exclusions: any[]}} props */
function Exclusions({ exclusions }) {
  const lost = exclusions.filter((one) => one.area_m2 > 0);
  if (!lost.length) return null;
  return html`<h3>扣除</h3>
    <table class="table"><tbody>${lost.map((one) => html`<tr key=${one.kind}>
      <th scope="row">${one.zh ?? word(one.kind)}</th><td class="num">−${mu(one.area_m2)} 亩</td>
    </tr>`)}</tbody></table>`;
}

/** @param {{separations: any[], parcelLink: (id: string) => any, onOpenPlot: (id: string) => void}} props */
function Separations({ separations, parcelLink, onOpenPlot }) {
  if (!separations.length) return null;
  return html`<h3>与邻近用地的阻隔</h3>
    <ul class="plain-list">${separations.slice(0, 8).map((one, place) => html`<li key=${place}>
      ${one.parcel_id && parcelLink(one.parcel_id)}
      ${one.neighbour && (one.neighbour === one.parcel_id ? " 与本宗的另一部分" : html` 与 ${parcelLink(one.neighbour)}`)}
      ${one.barrier_kind && html` 被<b>${word(one.barrier_kind)}</b>${one.barrier ? `（${one.barrier}）` : ""}隔开`}
      ${typeof one.blocked_m === "number" && html`，阻断 ${number(one.blocked_m)} 米`}
      ${one.neighbour_plot && html`，对面是地块 <button class="link" onClick=${() => onOpenPlot(one.neighbour_plot)}>${one.neighbour_plot}</button>`}
    </li>`)}</ul>`;
}

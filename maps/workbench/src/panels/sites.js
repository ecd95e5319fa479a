// An investor's question: the need in a form, the sites that meet it with reasons, the others with what they lack.
import * as service from "../service.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { hectares, muOf, number, quantity } from "../wording.js";
import { DISTANCES, FACTORS, USES, formOf, needOf } from "./need.js";

/** @typedef {import("../service.js").Matches} Matches */
/** @typedef {import("../service.js").Site} Site */
/** @typedef {{form: import("./need.js").Form, demand: string, matches: Matches | null}} Search */

export const EMPTY_SEARCH = /** @type {Search} */ ({
  form: { area_min: "500", area_max: "", land_use: "1001" }, demand: "", matches: null,
});

/**
 * @param {{search: Search, selected: string, onSearch: (search: Search) => void, onOpen: (site: Site) => void,
 *   onOpenId: (id: string) => void}} props
 */
export function SitesPanel({ search, selected, onSearch, onOpen, onOpenId }) {
  const [saved, setSaved] = useState(/** @type {{demand_id: string, name: string, need: any}[]} */ ([]));
  const [state, setState] = useState({ busy: false, problem: "" });
  const { form, demand, matches } = search;

  useEffect(() => {
    service.demands().then(setSaved, () => setSaved([]));
  }, []);

  const ask = async (/** @type {import("./need.js").Form} */ asked, /** @type {string} */ name) => {
    const need = needOf(asked);
    if (!need.area_mu) {
      setState({ busy: false, problem: "请填写面积下限或上限" });
      return;
    }
    setState({ busy: true, problem: "" });
    try {
      onSearch({ form: asked, demand: name, matches: await service.searchSites(need) });
      setState({ busy: false, problem: "" });
    } catch (error) {
      const { message, remedy } = /** @type {service.ServiceError} */ (error);
      setState({ busy: false, problem: [message, remedy].filter(Boolean).join("。") });
    }
  };
  const choose = (/** @type {string} */ id) => {
    const chosen = saved.find((one) => one.demand_id === id);
    if (chosen) void ask(formOf(chosen.need), id);
  };
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) =>
    onSearch({ ...search, demand: "", form: { ...form, [name]: event.target.value } });
  const field = (/** @type {string} */ name, /** @type {string} */ title, /** @type {string} */ unit, hint = "") => html`
    <label class="field"><span>${title}</span>
      <span class="with-unit">
        <input name=${name} inputmode="decimal" value=${form[name] ?? ""} placeholder=${hint} onInput=${set(name)} /><em>${unit}</em>
      </span>
    </label>`;
  const uses = USES.some(([code]) => code === (form.land_use ?? "")) ? USES : [...USES, [form.land_use, form.land_use]];

  return html`<div>
    <form class="need" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); void ask(form, demand); }}>
      ${saved.length > 0 && html`<label class="field wide"><span>选用已登记的项目需求</span>
        <select name="demand" value=${demand} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
          <option value="">（自定需求）</option>
          ${saved.map((one) => html`<option value=${one.demand_id} key=${one.demand_id}>${one.name}</option>`)}
        </select>
      </label>`}
      ${field("area_min", "面积不小于", "亩", "500")} ${field("area_max", "面积不大于", "亩", "不限")}
      <label class="field"><span>土地用途</span>
        <select name="land_use" value=${form.land_use ?? ""} onChange=${set("land_use")}>
          ${uses.map(([code, zh]) => html`<option value=${code} key=${code}>${zh}</option>`)}
        </select>
      </label>
      ${field("km_motorway_ramp", "距高速互通不超过", "公里")}
      <details class="fold wide">
        <summary>更多条件：物流、要素、地价、期限${further(form) > 0 ? html`<b class="tally">已设 ${further(form)} 项</b>` : ""}</summary>
        <div class="need">
          ${DISTANCES.slice(1).map(([key, zh]) => field(`km_${key}`, `${zh}不超过`, "公里"))}
          ${FACTORS.map(([key, zh, unit]) => field(`factor_${key}`, `${zh}不低于`, unit))}
          ${field("industry", "行业代码", "GB/T 4754")} ${field("price_wan", "地价不高于", "万元/亩")} ${field("radius_m", "内切圆半径不小于", "米")}
          <label class="field"><span>最迟交地</span><input type="date" name="deadline" value=${form.deadline ?? ""} onInput=${set("deadline")} /></label>
        </div>
      </details>
      <button class="primary wide" disabled=${state.busy}>${state.busy ? "正在比对…" : "找地"}</button>
    </form>
    ${state.problem && html`<p class="problem" role="alert">${state.problem}</p>`}
    ${matches && html`<${Results} matches=${matches} selected=${selected} onOpen=${onOpen} onOpenId=${onOpenId} />`}
  </div>`;
}

/** @param {{matches: Matches, selected: string, onOpen: (site: Site) => void, onOpenId: (id: string) => void}} props */
function Results({ matches, selected, onOpen, onOpenId }) {
  const head = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => head.current?.scrollIntoView({ block: "start" }), [matches]);
  return html`<section aria-label="找地结果" data-matched=${matches.matched}>
    <h3 class="result-head" role="status" ref=${head}>符合全部条件 <b>${number(matches.matched)}</b> 处，差在条件 <b>${number(matches.excluded_total)}</b> 处</h3>
    <ol class="sites">
      ${matches.sites.map((site) => html`<li class="site" key=${site.site_id} data-site=${site.site_id} aria-current=${selected === site.site_id}>
        <button class="row" onClick=${() => onOpen(site)}>
          <span class="rank">${site.rank}</span>
          <span class="row-main">
            <span class="row-title">${site.name || site.site_id}</span>
            <span class="row-note">${[site.town, site.kind === "plot" ? "连片地块" : "单宗地"].filter(Boolean).join(" · ")} · 得分 ${number(100 * share(site.score), 1)}</span>
          </span>
          <span class="row-figure"><b>${muOf(site.area_mu)}</b> 亩<small>${hectares(site.area_m2)} 公顷</small></span>
        </button>
        <details class="fold" open=${site.rank === 1}>
          <summary>${tally(site.conditions)}</summary>
          <ul class="reasons">
            ${site.conditions.map((condition) => html`<li class=${condition.outcome} key=${condition.condition}>${condition.text}</li>`)}
          </ul>
        </details>
        ${site.criteria.length > 0 && html`<details class="fold">
          <summary>评分依据</summary>
          <table class="table"><tbody>
            ${site.criteria.map((one) => html`<tr key=${one.criterion}>
              <th scope="row">${one.zh}${one.scale && html`<small>${one.scale}</small>`}</th><td class="num">${quantity(one.value, one.unit)}</td>
              <td class="score-bar"><span class="bar"><i style=${{ width: `${100 * share(one.score)}%` }}></i></span></td>
              <td class="num">权重 ${number(one.weight, 2)}</td>
            </tr>`)}
          </tbody></table>
        </details>`}
      </li>`)}
    </ol>
    ${matches.excluded.length > 0 && html`<details class="fold excluded" open=${matches.matched === 0}>
      <summary>为什么不是其他地块（${number(matches.excluded_total)} 处）</summary>
      <ul>
        ${matches.excluded.map((one) => html`<li key=${one.site_id}>
          <button class="link" onClick=${() => onOpenId(one.site_id)}>${one.name || one.site_id}</button>
          <ul class="reasons">${one.reasons.map((reason) => html`<li class="fail" key=${reason}>${reason}</li>`)}</ul>
        </li>`)}
        ${matches.excluded_total > matches.excluded.length && html`<li class="hint">只列出最接近的 ${matches.excluded.length} 处。</li>`}
      </ul>
    </details>`}
  </section>`;
}

/** How many of the folded conditions are set. @param {import("./need.js").Form} form */
function further(form) {
  const folded = [...DISTANCES.slice(1).map(([key]) => `km_${key}`), ...FACTORS.map(([key]) => `factor_${key}`)];
  return [...folded, "industry", "price_wan", "radius_m", "deadline"].filter((name) => form[name]).length;
}

/** @param {import("../service.js").Condition[]} conditions */
function tally(conditions) {
  const met = conditions.filter((one) => one.outcome === "pass").length;
  const open = conditions.length - met;
  return open ? `符合 ${met} 项条件，${open} 项缺资料` : `符合全部 ${met} 项条件`;
}

/** Scores come as 0–1 or 0–100. @param {number} score */
const share = (score) => Math.max(0, Math.min(1, score > 1 ? score / 100 : score));

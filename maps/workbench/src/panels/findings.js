// The list of what was found on single parcels: by town in numbers, then one by one.
import * as service from "../service.js";
import { html, useEffect, useState } from "../view.js";
import { GRAVEST_FIRST, day, mu, muOf, number } from "../wording.js";

/** @typedef {import("../service.js").Finding} Finding */

/**
 * @param {{levels: Record<string, {zh: string, colour: string}>, selected: string, onOpen: (parcelId: string) => void}} props
 */
export function FindingsPanel({ levels, selected, onOpen }) {
  const [level, setLevel] = useState("");
  const [town, setTown] = useState("");
  const [rows, setRows] = useState(/** @type {Finding[]} */ ([]));
  const [next, setNext] = useState(/** @type {string | null} */ (null));
  const [towns, setTowns] = useState(/** @type {TownTotal[]} */ ([]));
  const [problem, setProblem] = useState("");

  useEffect(() => {
    service.findingsByTown().then((statistics) => setTowns(totals(statistics)), (error) => setProblem(error.message));
  }, []);
  useEffect(() => {
    let current = true;
    service.findings({ level, town }).then(
      (page) => {
        if (!current) return;
        setRows(page.findings);
        setNext(page.next);
        setProblem("");
      },
      (error) => current && setProblem(error.message),
    );
    return () => void (current = false);
  }, [level, town]);

  const more = async () => {
    const page = await service.findings({ level, town, after: next ?? "" });
    setRows([...rows, ...page.findings]);
    setNext(page.next);
  };

  return html`<div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    <${Towns} towns=${towns} chosen=${town} onChoose=${(/** @type {string} */ key) => setTown(key === town ? "" : key)} />
    <label class="field inline"><span>等级</span>
      <select value=${level} onChange=${(/** @type {any} */ event) => setLevel(event.target.value)}>
        <option value="">全部等级</option>
        ${GRAVEST_FIRST.map((key) => html`<option value=${key} key=${key}>${levels[key]?.zh}</option>`)}
      </select>
    </label>
    <ul class="rows" aria-label="认定清单">
      ${rows.map((row) => html`<li key=${row.finding_id}>
        <button class="row" aria-current=${selected === row.parcel_id} onClick=${() => onOpen(row.parcel_id ?? "")}>
          <i class="dot" style=${{ background: levels[row.level]?.colour }} aria-hidden="true"></i>
          <span class="row-main">
            <span class="row-title">${row.holder || row.parcel_id}</span>
            <span class="row-note">${[row.level_title ?? levels[row.level]?.zh, row.town].filter(Boolean).join(" · ")}</span>
            ${row.since && html`<span class="row-note">自 ${day(row.since)}${row.days ? `，${number(row.days)} 天` : ""}</span>`}
          </span>
          <span class="row-figure"><b>${mu(row.area_m2)}</b> 亩</span>
        </button>
      </li>`)}
    </ul>
    ${rows.length === 0 && !problem && html`<p class="hint">没有符合条件的宗地。</p>`}
    ${next && html`<button class="plain wide" onClick=${more}>再看 50 宗</button>`}
  </div>`;
}

/** @typedef {{key: string, idle: number, idle_mu: number, inefficient: number, inefficient_mu: number}} TownTotal */

/** @param {{key: string, kind: string, level: string, count: number, mu: number}[]} statistics @returns {TownTotal[]} */
function totals(statistics) {
  /** @type {Map<string, TownTotal>} */
  const towns = new Map();
  for (const row of statistics) {
    const key = row.key ?? "";
    const total = towns.get(key) ?? { key, idle: 0, idle_mu: 0, inefficient: 0, inefficient_mu: 0 };
    if (row.level.startsWith("idle")) {
      total.idle += row.count;
      total.idle_mu += row.mu;
    } else if (row.level === "inefficient") {
      total.inefficient += row.count;
      total.inefficient_mu += row.mu;
    }
    towns.set(key, total);
  }
  return [...towns.values()].sort((a, b) => b.idle_mu + b.inefficient_mu - a.idle_mu - a.inefficient_mu);
}

/** @param {{towns: TownTotal[], chosen: string, onChoose: (key: string) => void}} props */
function Towns({ towns, chosen, onChoose }) {
  if (!towns.length) return null;
  return html`<table class="table towns">
    <caption>按乡镇街道（点选筛选）</caption>
    <thead><tr><th>乡镇街道</th><th class="num">疑似闲置</th><th class="num">亩</th><th class="num">疑似低效</th><th class="num">亩</th></tr></thead>
    <tbody>
      ${towns.map((town) => html`<tr key=${town.key} class=${chosen === town.key ? "chosen" : ""}>
        <td><button class="link" aria-pressed=${chosen === town.key} onClick=${() => onChoose(town.key)}>${town.key || "未注明"}</button></td>
        <td class="num">${number(town.idle)}</td><td class="num">${muOf(town.idle_mu)}</td>
        <td class="num">${number(town.inefficient)}</td><td class="num">${muOf(town.inefficient_mu)}</td>
      </tr>`)}
    </tbody>
  </table>`;
}

// What was found on single parcels: chosen by kind, level, town and holder, in numbers, then one by one.
import * as service from "../service.js";
import { html, useEffect, useState } from "../view.js";
import { FOUND, GRAVEST_FIRST, day, mu, number } from "../wording.js";
import { ChangesView } from "./changes.js";
import { Assessed, Totals, Towns } from "./totals.js";

/** @typedef {import("../service.js").Finding} Finding */
/** @typedef {import("../service.js").Wanted} Wanted */

/** @type {Wanted} */
const EVERYTHING = { kind: "", level: "", town: "", rule: "", holder: "" };
const TYPING_MS = 350;

/**
 * @param {{levels: Record<string, {zh: string, colour: string}>, run: service.Run, selected: string, onOpen: (parcelId: string) => void}} props
 */
export function FindingsPanel({ levels, run, selected, onOpen }) {
  const [wanted, setWanted] = useState(EVERYTHING);
  const [typed, setTyped] = useState("");
  const [page, setPage] = useState(/** @type {{matched: number, rows: Finding[], next: string | null} | null} */ (null));
  const [totals, setTotals] = useState(/** @type {service.Statistics | null} */ (null));
  const [towns, setTowns] = useState(/** @type {service.Row[]} */ ([]));
  const [problem, setProblem] = useState("");
  const { town, ...elsewhere } = wanted;

  useEffect(() => {
    const wait = setTimeout(() => setWanted((before) => (before.holder === typed.trim() ? before : { ...before, holder: typed.trim() })), TYPING_MS);
    return () => clearTimeout(wait);
  }, [typed]);
  useEffect(() => {
    let current = true;
    Promise.all([service.findings(wanted), service.statistics("kind", wanted)]).then(
      ([{ matched, findings, next }, statistics]) => {
        if (!current) return;
        setPage({ matched, rows: findings, next });
        setTotals(statistics);
        setProblem("");
      },
      (error) => current && setProblem(error.message),
    );
    return () => void (current = false);
  }, [wanted]);
  useEffect(() => {
    let current = true;
    service.statistics("town", elsewhere).then(({ rows }) => current && setTowns(rows), (error) => current && setProblem(error.message));
    return () => void (current = false);
  }, [wanted.kind, wanted.level, wanted.rule, wanted.holder]);

  const more = async () => {
    if (!page) return;
    const { findings, next } = await service.findings(wanted, page.next ?? "");
    setPage({ ...page, rows: [...page.rows, ...findings], next });
  };
  const choose = (/** @type {keyof Wanted} */ name) => (/** @type {any} */ event) => setWanted({ ...wanted, [name]: event.target.value });
  const chooseKind = (/** @type {any} */ event) => {
    const kind = event.target.value;
    setWanted({ ...wanted, kind, level: levelsOf(kind).includes(wanted.level) ? wanted.level : "" });
  };
  const filtered = Object.values(wanted).some(Boolean);
  const rules = /** @type {Record<string, string>} */ (run.parameters.rule_titles ?? {});
  const townNames = [...new Set([...towns.flatMap((row) => row.key ?? []), ...(town ? [town] : [])])].sort();

  return html`<div class="findings">
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    <form class="filters" aria-label="筛选认定" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label class="field"><span>类别</span>
        <select name="kind" value=${wanted.kind} onChange=${chooseKind}>
          <option value="">闲置与低效</option><option value="idle">闲置土地</option><option value="inefficient">低效用地</option>
        </select>
      </label>
      <label class="field"><span>等级</span>
        <select name="level" value=${wanted.level} onChange=${choose("level")}>
          <option value="">全部等级</option>
          ${levelsOf(wanted.kind).map((key) => html`<option value=${key} key=${key}>${levels[key]?.zh}</option>`)}
        </select>
      </label>
      <label class="field"><span>乡镇街道</span>
        <select name="town" value=${town} onChange=${choose("town")}>
          <option value="">全区</option>
          ${townNames.map((name) => html`<option value=${name} key=${name}>${name}</option>`)}
        </select>
      </label>
      <label class="field"><span>规则</span>
        <select name="rule" value=${wanted.rule} onChange=${choose("rule")}>
          <option value="">全部规则</option>
          ${Object.entries(rules).map(([key, title]) => html`<option value=${key} key=${key}>${title}</option>`)}
        </select>
      </label>
      <label class="field wide"><span>使用权人名称（含）</span>
        <input name="holder" type="search" maxlength="60" value=${typed} onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} />
      </label>
      ${filtered && html`<button type="button" class="link wide" onClick=${() => { setTyped(""); setWanted(EVERYTHING); }}>清除全部条件</button>`}
    </form>
    <${Totals} rows=${totals?.rows ?? []} levels=${levels} />
    <p class="ledgers"><span>下载台账${town ? `（${town}）` : "（全区）"}</span>
      <a class="plain" href=${service.ledger("idle", town)} download>闲置土地</a>
      <a class="plain" href=${service.ledger("inefficient", town)} download>低效用地</a></p>
    <${Towns} rows=${towns} chosen=${town} onChoose=${(/** @type {string} */ key) => setWanted({ ...wanted, town: key === town ? "" : key })} />
    <${Assessed} statistics=${totals} />
    <${ChangesView} runId=${run.run_id} rules=${rules} onOpen=${onOpen} />
    ${page && html`<p class="result-head" role="status"><b>${number(page.matched)}</b> 条认定</p>`}
    <ul class="rows" aria-label="认定清单">
      ${(page?.rows ?? []).map((row) => html`<li key=${row.finding_id}>
        <button class="row" aria-current=${selected === row.parcel_id} onClick=${() => onOpen(row.parcel_id ?? "")}>
          <i class="dot" style=${{ background: levels[row.level]?.colour }} aria-hidden="true"></i>
          <span class="row-main">
            <span class="row-title">${row.holder || row.parcel_id}</span>
            <span class="row-note">${[row.level_title ?? levels[row.level]?.zh, row.rule_title, row.town].filter(Boolean).join(" · ")}</span>
            ${row.since && html`<span class="row-note">自 ${day(row.since)}${row.days ? `，${number(row.days)} 天` : ""}</span>`}
            ${row.shortfall && html`<span class="row-note">${row.shortfall}</span>`}
          </span>
          <span class="row-figure"><b>${mu(row.area_m2)}</b> 亩</span>
        </button>
      </li>`)}
    </ul>
    ${page?.rows.length === 0 && !problem && html`<p class="hint">没有符合条件的认定。</p>`}
    ${page?.next && html`<button class="plain wide" onClick=${more}>再看 50 条</button>`}
  </div>`;
}

/** Levels that findings of a kind can have. @param {string} kind */
function levelsOf(kind) {
  if (kind === "inefficient") return [...FOUND.inefficient, "not_assessed"];
  return kind === "idle" ? GRAVEST_FIRST.filter((level) => !FOUND.inefficient.includes(level)) : GRAVEST_FIRST;
}

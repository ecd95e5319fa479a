// What the map shows: groups that can be switched, their signs, how many features, how old the data.
import { Swatch } from "../swatch.js";
import { html } from "../view.js";
import { LAYER_NAMES, day, number } from "../wording.js";

/** @typedef {import("../service.js").Run} Run */
/** @typedef {{key: string, zh: string, en: string, entries: import("../swatch.js").Entry[], layers: string[],
 *   sources: string[], visible: boolean}} Group */

/**
 * @param {{groups: Group[], patterns: Record<string, any>, shown: Record<string, boolean>, run: Run | null,
 *   onToggle: (key: string) => void}} props
 */
export function LayersPanel({ groups, patterns, shown, run, onToggle }) {
  return html`<div class="layers">
    ${groups.map(
      (group) => html`<section class="layer-group" key=${group.key}>
        <label class="layer-head">
          <input type="checkbox" checked=${shown[group.key]} onChange=${() => onToggle(group.key)} data-group=${group.key} />
          <span class="layer-name">${group.zh}</span>
          <span class="layer-note">${note(group, run)}</span>
        </label>
        <ul class="legend-list">
          ${group.entries.map(
            (entry) => html`<li key=${entry.key}>
              <${Swatch} entry=${entry} patterns=${patterns} /> <span>${entry.zh}</span>
              <span class="count">${levelCount(entry.key, run)}</span>
            </li>`,
          )}
        </ul>
      </section>`,
    )}
    ${run && html`<${Loads} run=${run} />`}
  </div>`;
}

/** @param {Group} group @param {Run | null} run */
function note(group, run) {
  const loads = (run?.loads ?? []).filter((load) => group.sources.includes(load.layer));
  if (group.key === "plots" && run) return `${number(run.summary.plots)} 块`;
  if (group.sources[0] === "findings" && run) return `截至 ${day(run.as_of)}`;
  const dates = loads.map((load) => load.data_date).filter(Boolean).sort();
  if (!loads.length) return "";
  const total = loads.reduce((sum, load) => sum + load.stored, 0);
  return `${number(total)} 个${dates.length ? ` · ${day(dates[0])}` : ""}`;
}

/** @param {string} level @param {Run | null} run */
function levelCount(level, run) {
  const found = run?.summary.by_level?.[level];
  return found ? `${number(found.count)} 宗 · ${number(found.mu)} 亩` : "";
}

/** @param {{run: Run}} props */
function Loads({ run }) {
  return html`<details class="fold">
    <summary>数据来源（${run.loads.length} 批）</summary>
    <table class="table">
      <thead><tr><th>图层</th><th>文件</th><th>数据日期</th><th class="num">入库</th><th class="num">隔离</th></tr></thead>
      <tbody>
        ${run.loads.map(
          (load) => html`<tr key=${load.load_id}>
            <td>${LAYER_NAMES[load.layer] ?? load.layer}</td>
            <td class="break">${load.file_name}</td>
            <td>${day(load.data_date)}</td>
            <td class="num">${number(load.stored)}</td>
            <td class="num">${number(load.quarantined)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </details>`;
}

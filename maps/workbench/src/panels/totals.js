// The findings in numbers: what the service counted, added up so that nothing is told twice.
import { html } from "../view.js";
import { FATES, FOUND, GRAVEST_FIRST, KINDS, money, muOf, number, word } from "../wording.js";

/** @typedef {import("../service.js").Row} Row */
/** @typedef {import("../service.js").Statistics} Statistics */
/** @typedef {{count: number, mu: number, fee_yuan: number | null, fee_unknown: number}} Total */

/** @param {Pick<Row, "count" | "mu" | "fee_yuan" | "fee_unknown">[]} rows @returns {Total} */
export function sumOf(rows) {
  const fees = rows.flatMap((row) => (row.fee_yuan === null ? [] : [row.fee_yuan]));
  const add = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0);
  return {
    count: add(rows.map((row) => row.count)),
    mu: add(rows.map((row) => row.mu)),
    fee_yuan: fees.length ? add(fees) : null,
    fee_unknown: add(rows.map((row) => row.fee_unknown)),
  };
}

/** The rows of a kind that make its land idle or inefficient. @param {Row[]} rows @param {string} kind */
export const found = (rows, kind) => rows.filter((row) => row.kind === kind && FOUND[kind].includes(row.level));

/** @param {Row[]} rows @returns {{key: string, idle: Total, inefficient: Total}[]} the town with most land first */
export function byTown(rows) {
  const keys = [...new Set(rows.map((row) => row.key ?? ""))];
  const towns = keys.map((key) => {
    const mine = rows.filter((row) => (row.key ?? "") === key);
    return { key, idle: sumOf(found(mine, "idle")), inefficient: sumOf(found(mine, "inefficient")) };
  });
  return towns.sort((a, b) => b.idle.mu + b.inefficient.mu - a.idle.mu - a.inefficient.mu);
}

// A longer table would push the list out of sight.
const FEW_TOWNS = 6;

/** @param {Total} total */
const fee = (total) => money(total.fee_yuan);

/** Every level with its land and fees, then the sums. @param {{rows: Row[], levels: Record<string, {zh: string, colour: string}>}} props */
export function Totals({ rows, levels }) {
  if (!rows.length) return null;
  const kinds = Object.keys(FOUND).filter((kind) => rows.some((row) => row.kind === kind));
  const unknown = sumOf(rows).fee_unknown;
  return html`<table class="table totals">
      <caption>按所选条件合计（疑似，待确认）</caption>
      <thead><tr><th scope="col">等级</th><th scope="col" class="num">宗</th><th scope="col" class="num">亩</th><th scope="col" class="num">闲置费（测算）</th></tr></thead>
      ${kinds.map((kind) => html`<tbody key=${kind} data-kind=${kind}>
        ${rows.filter((row) => row.kind === kind).sort((a, b) => GRAVEST_FIRST.indexOf(a.level) - GRAVEST_FIRST.indexOf(b.level)).map((row) => html`<tr key=${row.level} data-level=${row.level}>
          <th scope="row"><i class="dot" style=${{ background: levels[row.level]?.colour }} aria-hidden="true"></i> ${levels[row.level]?.zh ?? row.level}${row.level === "not_assessed" ? `（${KINDS[kind]}）` : ""}</th>
          <td class="num">${number(row.count)}</td><td class="num">${muOf(row.mu)}</td><td class="num">${fee(row)}</td>
        </tr>`)}
        ${found(rows, kind).length > 0 && html`<${Sum} kind=${kind} total=${sumOf(found(rows, kind))} />`}
      </tbody>`)}
    </table>
    ${unknown > 0 && html`<p class="footnote">闲置满一年的宗地中有 ${number(unknown)} 宗没有闲置费金额（集体土地不计费，或缺少土地价款等数据）。</p>`}`;
}

/** @param {{kind: string, total: Total}} props */
const Sum = ({ kind, total }) => html`<tr class="sum">
  <th scope="row">Σ 疑似${KINDS[kind]}</th>
  <td class="num">${number(total.count)}</td><td class="num">${muOf(total.mu)}</td><td class="num">${fee(total)}</td>
</tr>`;

/** @param {{rows: Row[], chosen: string, onChoose: (key: string) => void}} props */
export function Towns({ rows, chosen, onChoose }) {
  const towns = byTown(rows);
  if (!towns.length) return null;
  const cell = (/** @type {Total} */ total) => (total.count ? html`${number(total.count)} 宗<small>${muOf(total.mu)} 亩</small>` : "—");
  return html`<details class="fold" open=${towns.length <= FEW_TOWNS}><summary>按乡镇街道（点选筛选）</summary>
  <table class="table towns">
    <thead><tr><th scope="col">乡镇街道</th><th scope="col" class="num">疑似闲置</th><th scope="col" class="num">闲置费</th><th scope="col" class="num">疑似低效</th></tr></thead>
    <tbody>
      ${towns.map((town) => html`<tr key=${town.key} class=${chosen === town.key && town.key ? "chosen" : ""}>
        <td>${town.key ? html`<button class="link" aria-pressed=${chosen === town.key} onClick=${() => onChoose(town.key)}>${town.key}</button>` : "未注明"}</td>
        <td class="num">${cell(town.idle)}</td><td class="num">${fee(town.idle)}</td><td class="num">${cell(town.inefficient)}</td>
      </tr>`)}
    </tbody>
  </table></details>`;
}

/** What became of every parcel of the district, whatever is chosen in the list. @param {{statistics: Statistics | null}} props */
export function Assessed({ statistics }) {
  const { assessed, stock } = statistics ?? {};
  if (!assessed) return null;
  return html`<details class="fold assessed-all"><summary>全区评估情况与存量类别</summary>
    <table class="table">
      <caption>全部宗地各归一类（宗 / 亩）</caption>
      <thead><tr><th scope="col">结果</th><th scope="col" class="num">闲置</th><th scope="col" class="num">低效</th></tr></thead>
      <tbody>${Object.entries(FATES).map(([fate, title]) => html`<tr key=${fate} data-fate=${fate}>
        <th scope="row">${title}</th>
        ${(/** @type {const} */ (["idle", "inefficient"])).map((kind) => {
          const { count, mu } = assessed[kind][/** @type {"found"} */ (fate)];
          return html`<td class="num" key=${kind}>${number(count)}<small>${muOf(mu)} 亩</small></td>`;
        })}
      </tr>`)}</tbody>
    </table>
    <p class="footnote">不在评估范围的原因：${(/** @type {const} */ (["idle", "inefficient"])).map((kind) => `${KINDS[kind]}：${Object.entries(assessed[kind].not_subject_why)
      .map(([why, count]) => `${why} ${number(count)} 宗`).join("、") || "无"}`).join("；")}。</p>
    ${stock && stock.length > 0 && html`<table class="table">
      <caption>存量类别（与闲置认定分开统计，不合并）</caption>
      <thead><tr><th scope="col">类别</th><th scope="col">依据</th><th scope="col" class="num">宗</th><th scope="col" class="num">亩</th></tr></thead>
      <tbody>${stock.map((one) => html`<tr key=${`${one.stock_class}${one.basis}`}>
        <th scope="row">${one.title}</th><td>${word(one.basis)}</td><td class="num">${number(one.count)}</td><td class="num">${muOf(one.mu)}</td>
      </tr>`)}</tbody>
    </table>`}
  </details>`;
}

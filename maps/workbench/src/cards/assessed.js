// Whether a parcel was looked at, by which rules, and if not, why: no finding is no clearance.
import { html } from "../view.js";
import { FATES, FOUND, GRAVEST_FIRST, KINDS } from "../wording.js";

/** @typedef {import("../service.js").Finding} Finding */
/** @typedef {import("../service.js").Assessed} Looked */

/**
 * @param {{assessed: {idle: Looked, inefficient: Looked}, findings: Finding[], levels: Record<string, {zh: string, colour: string}>,
 *   run: {ruleset_title: string, ruleset: string, as_of: string} | null | undefined}} props
 */
export function AssessedView({ assessed, findings, levels, run }) {
  const open = [...assessed.idle.not_computed, ...assessed.inefficient.not_computed];
  return html`<section class="assessed" aria-label="评估结论">
    <dl>${(/** @type {const} */ (["idle", "inefficient"])).map((kind) => {
      const mine = findings.filter((finding) => finding.kind === kind);
      const gravest = GRAVEST_FIRST.find((level) => mine.some((finding) => finding.level === level));
      const looked = assessed[kind];
      return html`<div key=${kind} data-assessed=${kind}>
        <dt>${KINDS[kind]}</dt>
        <dd><i class="dot" style=${{ background: gravest ? levels[gravest]?.colour : "#fff" }} aria-hidden="true"></i>
          <b>${verdict(gravest, looked, levels)}</b>
          ${!gravest && !looked.subject && html`<small>原因：${looked.why ?? "不在适用范围"}</small>`}
          ${looked.subject && (looked.rules?.length ?? 0) > 0 && html`<small>所评条款：${looked.rules?.map((rule) => rule.title).join("、")}</small>`}
        </dd>
      </div>`;
    })}</dl>
    ${open.length > 0 && html`<details class="fold not-computed"><summary>图层不能判定的条款（${open.length} 条）</summary>
      <ul>${open.map((clause) => html`<li key=${clause.title}>${clause.title}<small>${clause.reason}</small></li>`)}</ul>
    </details>`}
    ${run && html`<p class="by">评估基准日 ${run.as_of}，${run.ruleset_title}（${run.ruleset}）</p>`}
  </section>`;
}

/** @param {string | undefined} gravest @param {Looked} looked @param {Record<string, {zh: string}>} levels */
function verdict(gravest, looked, levels) {
  if (gravest) return `${Object.values(FOUND).flat().includes(gravest) ? "疑似：" : ""}${levels[gravest]?.zh ?? gravest}`;
  return looked.subject ? FATES.ok : "未评估";
}

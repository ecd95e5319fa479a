// A parcel: what it is, what was found on it, on what evidence, and what could not be judged.
import * as service from "../service.js";
import { html, useEffect, useState } from "../view.js";
import { day, hectares, landUse, money, mu, number, quantity, word } from "../wording.js";
import { Area, Card, Facts } from "./card.js";

/** @typedef {import("../service.js").Finding} Finding */

/**
 * @param {{id: string, landUses: Record<string, string>, levels: Record<string, {zh: string, colour: string}>, plotNames: Map<string, string>,
 *   onOpenPlot: (id: string) => void, onClose: () => void}} props
 */
export function ParcelCard({ id, landUses, levels, plotNames, onOpenPlot, onClose }) {
  const [answer, setAnswer] = useState(/** @type {Awaited<ReturnType<typeof service.parcelFindings>> | null} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let current = true;
    setAnswer(null);
    setProblem("");
    service.parcelFindings(id).then((got) => current && setAnswer(got), (error) => current && setProblem(error.message));
    return () => void (current = false);
  }, [id]);

  const parcel = answer?.parcel ?? {};
  return html`<${Card} kind="parcel" id=${id} eyebrow="宗地" title=${id} ready=${answer !== null} problem=${problem} onClose=${onClose}>
    ${answer && html`
      <${Area} mu=${mu(parcel.area_m2)} ha=${hectares(parcel.area_m2)} note=${declared(parcel)} />
      ${(answer.plots ?? []).map((plot) => html`<p class="belongs" key=${plot}>
        属于连片地块 <button class="link" onClick=${() => onOpenPlot(plot)}>${plotNames.get(plot) ?? plot}</button>
      </p>`)}
      ${answer.findings.length === 0 && html`<p class="clear">${answer.judged
        ? "本次分析未发现闲置或低效情形。"
        : "不在闲置、低效认定范围内：没有供地信息，也未投入使用。"}</p>`}
      ${answer.findings.map((finding) => html`<${FindingView} key=${finding.finding_id} finding=${finding} level=${levels[finding.level]} />`)}
      <h3>基本情况</h3>
      <${Facts} rows=${basics(parcel, landUses)} />
      ${dated(parcel).length > 0 && html`<h3>供应与建设</h3><${Facts} rows=${dated(parcel)} />`}
      ${operating(parcel).length > 0 && html`<h3>经营情况${parcel.year ? `（${parcel.year} 年）` : ""}</h3><${Facts} rows=${operating(parcel)} />`}
    `}
  </${Card}>`;
}

/** @param {{finding: Finding, level: {zh: string, colour: string} | undefined}} props */
function FindingView({ finding, level }) {
  const reading = readings(finding.reading ?? {});
  const measured = measure(finding.reading ?? {});
  return html`<section class="finding" style=${{ borderLeftColor: level?.colour }}>
    <h3>${finding.level_title ?? level?.zh ?? finding.level}<span class="tag">${confidence(finding.confidence)}</span></h3>
    <p class="finding-rule">${finding.rule_title ?? finding.rule}</p>
    ${measured && html`<p class="measure">${measured}</p>`}
    <${Facts} rows=${[
      ["起始日期", day(finding.since)],
      ["至今", finding.days === null ? "" : `${number(finding.days)} 天`],
      ["下一节点", day(finding.next_date)],
      ["闲置费（测算）", finding.fee_yuan === null ? "" : money(finding.fee_yuan)],
    ]} />
    ${finding.evidence.length > 0 && html`<table class="table">
      <caption>依据</caption>
      <tbody>${finding.evidence.map((one) => html`<tr key=${one.field}>
        <th scope="row">${one.zh}</th><td class="num">${quantity(one.value, one.unit)}</td>
      </tr>`)}</tbody>
    </table>`}
    ${finding.missing.length > 0 && html`<p class="missing">缺少：${finding.missing.map((one) => one.zh).join("、")}</p>`}
    ${finding.source && html`<p class="source">条款：${finding.source}</p>`}
    ${reading.length > 0 && html`<details class="fold"><summary>规则取值</summary>
      <table class="table"><tbody>${reading.map(([name, value]) => html`<tr key=${name}><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table>
    </details>`}
  </section>`;
}

/** What was measured against what. @param {Record<string, any>} reading */
function measure({ measure: name, value, threshold, unit }) {
  if (!name) return "";
  const figure = (/** @type {unknown} */ one) => (typeof one === "number" ? `${number(one, 2)} ${unit ?? ""}`.trim() : "无数据");
  return `${name} ${figure(value)}，标准 ${figure(threshold)}`;
}

/** @type {Record<string, [string, string]>} name and unit of what a rule was read with */
const READINGS = {
  start_due: ["约定动工日期", ""], excused_days: ["扣除天数", "d"], year_full_on: ["满年计算", ""], collective: ["集体土地", ""],
  unverified: ["未经核实的读法", ""], per: ["汇总口径", ""], area_basis: ["面积口径", ""], status: ["标准状态", ""],
  shortfall_yuan: ["与标准的差额", "yuan"], shortfall_m2: ["与标准差的面积", "m2"],
};

/** @param {Record<string, unknown>} reading @returns {[string, string][]} */
function readings(reading) {
  const empty = (/** @type {unknown} */ value) => value === null || (Array.isArray(value) && value.length === 0);
  return Object.entries(reading)
    .filter(([key, value]) => !["measure", "value", "threshold", "unit"].includes(key) && !empty(value))
    .map(([key, value]) => [READINGS[key]?.[0] ?? key, quantity(value, READINGS[key]?.[1])]);
}

/** A finding is a suspicion until an official confirms it. @param {string | undefined} state */
const confidence = (state) => (!state || state === "suspected" ? "疑似，待确认" : word(state));

/** @param {Record<string, any>} parcel */
const declared = (parcel) => (parcel.declared_area_m2 ? `登记 ${mu(parcel.declared_area_m2)} 亩` : "");

/** @param {Record<string, any>} parcel @param {Record<string, string>} landUses @returns {[string, any][]} */
function basics(parcel, landUses) {
  return [
    ["使用权人", parcel.holder],
    ["土地用途", landUse(parcel.land_use, landUses)],
    ["乡镇街道", parcel.town],
    ["坐落", parcel.address],
    ["所有权性质", word(parcel.tenure)],
    ["供应方式", word(parcel.supply_kind)],
    ["建设状态", word(parcel.status)],
    ["存量类别", word(parcel.stock_class)],
  ];
}

/** @param {Record<string, any>} parcel @returns {[string, any][]} */
function dated(parcel) {
  /** @type {[string, any][]} */
  const rows = [
    ["合同签订", day(parcel.contract_date)],
    ["交地", day(parcel.handover_date)],
    ["约定动工", day(parcel.start_due)],
    ["实际动工", day(parcel.started_on)],
    ["约定竣工", day(parcel.completion_due)],
    ["实际竣工", day(parcel.completed_on)],
    ["停工", day(parcel.suspended_on)],
    ["复工", day(parcel.resumed_on)],
    ["土地价款", money(parcel.land_price_yuan)],
    ["约定总投资", money(parcel.investment_due_yuan)],
    ["已完成投资", money(parcel.investment_made_yuan)],
    ["约定容积率", number(parcel.far_agreed, 2)],
  ];
  return rows.filter(([, value]) => value !== "—");
}

/** @param {Record<string, any>} parcel @returns {[string, any][]} */
function operating(parcel) {
  const taxPerMu = parcel.tax_yuan && parcel.area_m2 ? (parcel.tax_yuan * 2000) / 3 / parcel.area_m2 : null;
  /** @type {[string, any][]} */
  const rows = [
    ["行业代码", parcel.industry ?? "—"],
    ["产值", money(parcel.output_yuan)],
    ["税收", money(parcel.tax_yuan)],
    ["亩均税收", taxPerMu === null ? "—" : `${money(taxPerMu)}/亩`],
    ["从业人数", number(parcel.employees)],
    ["综合能耗", parcel.energy_tce ? `${number(parcel.energy_tce)} 吨标煤` : "—"],
    ["总建筑面积", parcel.floor_area_m2 ? `${number(parcel.floor_area_m2)} ㎡` : "—"],
    ["停产日期", day(parcel.stopped_on)],
  ];
  return rows.filter(([, value]) => value !== "—");
}

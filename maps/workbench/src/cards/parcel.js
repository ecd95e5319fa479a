// A parcel: what it is, what was found on it, on what evidence, and what could not be judged.
import * as service from "../service.js";
import { html, useEffect, useState } from "../view.js";
import { day, hectares, landUse, money, mu, number, word } from "../wording.js";
import { AssessedView } from "./assessed.js";
import { Area, Card, Facts } from "./card.js";
import { FindingView } from "./finding.js";
import { Indicators } from "./indicators.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("../service.js").ParcelAnswer} Answer */

/**
 * @param {{id: string, landUses: Record<string, string>, levels: Record<string, {zh: string, colour: string}>, plotNames: Map<string, string>,
 *   onOpenPlot: (id: string) => void, onClose: () => void}} props
 */
export function ParcelCard({ id, landUses, levels, plotNames, onOpenPlot, onClose }) {
  const [answer, setAnswer] = useState(/** @type {Answer | null} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let current = true;
    setAnswer(null);
    setProblem("");
    service.parcelFindings(id).then((got) => current && setAnswer(got), (error) => current && setProblem(error.message));
    return () => void (current = false);
  }, [id]);

  const parcel = answer?.parcel ?? {};
  // Of land that is only inefficient the dates of its supply say little.
  const timelineFirst = !answer?.findings.length || answer.findings.some((finding) => finding.kind === "idle");
  const timeline = answer?.timeline && html`<${Timeline} timeline=${answer.timeline} levels=${levels} loads=${answer.loads ?? {}} />`;
  return html`<${Card} kind="parcel" id=${id} eyebrow="宗地" title=${id} ready=${answer !== null} problem=${problem} onClose=${onClose}>
    ${answer && html`
      <${Area} mu=${mu(parcel.area_m2)} ha=${hectares(parcel.area_m2)} note=${declared(parcel)} />
      ${(answer.plots ?? []).map((plot) => html`<p class="belongs" key=${plot}>
        属于连片地块 <button class="link" onClick=${() => onOpenPlot(plot)}>${plotNames.get(plot) ?? plot}</button>
      </p>`)}
      ${answer.assessed
        ? html`<${AssessedView} assessed=${answer.assessed} findings=${answer.findings} levels=${levels} run=${answer.run} />`
        : html`<p class="clear">还没有可用的评估记录。</p>`}
      ${timelineFirst && timeline}
      ${answer.findings.map((finding) => html`<${FindingView} key=${finding.finding_id} finding=${finding} level=${levels[finding.level]} loads=${answer.loads ?? {}} />`)}
      ${!timelineFirst && timeline}
      <${Indicators} indicators=${answer.indicators} firms=${answer.firms ?? []} />
      <h3>基本情况</h3>
      <${Facts} rows=${basics(answer, landUses)} />
      ${agreed(parcel).length > 0 && html`<h3>供应与投资</h3><${Facts} rows=${agreed(parcel)} />`}
      ${operating(parcel).length > 0 && html`<h3>登记的经营情况${parcel.year ? `（${parcel.year} 年）` : ""}</h3><${Facts} rows=${operating(parcel)} />`}
    `}
  </${Card}>`;
}

/** @param {Record<string, any>} parcel */
const declared = (parcel) => (parcel.declared_area_m2 ? `登记 ${mu(parcel.declared_area_m2)} 亩` : "");

/** @param {Answer} answer @param {Record<string, string>} landUses @returns {[string, any][]} */
function basics({ parcel, stock }, landUses) {
  const stocked = stock?.title ? `${stock.title}（${word(stock.basis)}）` : word(parcel.stock_class);
  return [
    ["使用权人", parcel.holder],
    ["土地用途", landUse(parcel.land_use, landUses)],
    ["乡镇街道", parcel.town],
    ["坐落", parcel.address],
    ["所有权性质", word(parcel.tenure)],
    ["供应方式", word(parcel.supply_kind)],
    ["建设状态", word(parcel.status)],
    ["存量类别", stocked],
  ];
}

/** What is not in the timeline. @param {Record<string, any>} parcel @returns {[string, any][]} */
function agreed(parcel) {
  /** @type {[string, any][]} */
  const rows = [
    ["约定竣工", day(parcel.completion_due)],
    ["土地价款", money(parcel.land_price_yuan)],
    ["约定总投资", money(parcel.investment_due_yuan)],
    ["已完成投资", money(parcel.investment_made_yuan)],
    ["约定容积率", number(parcel.far_agreed, 2)],
  ];
  return rows.filter(([, value]) => value !== "—");
}

/** @param {Record<string, any>} parcel @returns {[string, any][]} */
function operating(parcel) {
  /** @type {[string, any][]} */
  const rows = [
    ["行业代码", parcel.industry ?? "—"],
    ["产值", money(parcel.output_yuan)],
    ["税收", money(parcel.tax_yuan)],
    ["从业人数", number(parcel.employees)],
    ["综合能耗", parcel.energy_tce ? `${number(parcel.energy_tce)} 吨标煤` : "—"],
    ["总建筑面积", parcel.floor_area_m2 ? `${number(parcel.floor_area_m2)} ㎡` : "—"],
    ["停产日期", day(parcel.stopped_on)],
  ];
  return rows.filter(([, value]) => value !== "—");
}

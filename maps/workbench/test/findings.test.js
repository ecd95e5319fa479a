import assert from "node:assert/strict";
import { test } from "node:test";
import { measures } from "../src/cards/finding.js";
import { byTown, found, sumOf } from "../src/panels/totals.js";
import { findingsQuery, ledger } from "../src/service.js";
import { exactMoney, fieldValue, sourceText } from "../src/wording.js";

const rows = [
  { key: "甲镇", kind: "idle", level: "idle_1y", count: 3, mu: 30.5, fee_yuan: 100, fee_unknown: 1 },
  { key: "甲镇", kind: "idle", level: "idle_2y", count: 2, mu: 20, fee_yuan: null, fee_unknown: 0 },
  { key: "甲镇", kind: "idle", level: "overdue", count: 9, mu: 900, fee_yuan: null, fee_unknown: 0 },
  { key: null, kind: "inefficient", level: "inefficient", count: 4, mu: 80, fee_yuan: null, fee_unknown: 0 },
  { key: null, kind: "inefficient", level: "not_assessed", count: 1, mu: 5, fee_yuan: null, fee_unknown: 0 },
];

test("sums hold what is idle or inefficient, not what is late or unknown", () => {
  assert.deepEqual(sumOf(found(rows, "idle")), { count: 5, mu: 50.5, fee_yuan: 100, fee_unknown: 1 });
  assert.deepEqual(sumOf(found(rows, "inefficient")), { count: 4, mu: 80, fee_yuan: null, fee_unknown: 0 });
});

test("towns come by their land, one without a name too", () => {
  assert.deepEqual(byTown(rows).map((town) => [town.key, town.idle.count, town.inefficient.count]), [["", 0, 4], ["甲镇", 5, 0]]);
});

test("a holder's name is text in the filter, whatever it holds", () => {
  assert.equal(findingsQuery({ kind: "idle", level: "", holder: " 甲 " }).toString(), new URLSearchParams({ kind: "idle", filter: "holder LIKE '%甲%'" }).toString());
  assert.equal(findingsQuery({ holder: "100%_o'r\\" }).get("filter"), "holder LIKE '%100\\%\\_o''r\\\\%'");
});

test("a ledger is asked for by town", () => {
  assert.equal(ledger("idle", ""), "/ledgers/idle.xlsx");
  assert.equal(ledger("inefficient", "甲&乙"), "/ledgers/inefficient.xlsx?town=%E7%94%B2%26%E4%B9%99");
});

test("what was measured is told against its threshold, with digits enough to see the difference", () => {
  const reading = { measure: "亩均税收", value: 2.857931357, comparison: "below", threshold: 6, unit: "万元/亩" };
  assert.deepEqual(measures(reading, true), ["亩均税收 2.86 万元/亩，低于标准 6 万元/亩"]);
  assert.deepEqual(measures({ ...reading, value: 5.9999 }, true), ["亩均税收 5.9999 万元/亩，低于标准 6 万元/亩"]);
  assert.deepEqual(measures({ ...reading, value: null }, false), ["亩均税收 无数据，标准 6 万元/亩"]);
  const score = { measure: "综合得分", value: 14.413, unit: "分", grade: "D", rank: 561, ranked: 581, threshold: 19.887, criteria: [{ points: 1 }] };
  assert.deepEqual(measures(score, true), ["综合得分 14.41 分，D 级，第 561 名（参评 581 家）；上一等级 19.89 分"]);
});

test("land is told in mu and square metres, floors in square metres, a year is a year", () => {
  assert.equal(fieldValue("area_due_m2", 20_000, "m2"), "30 亩（20,000 ㎡）");
  assert.equal(fieldValue("floor_area_m2", 35_730.5, "m2"), "35,730.5 ㎡");
  assert.equal(fieldValue("year", 2025, ""), "2025 年");
  assert.equal(fieldValue("vacant_share", 0.647, "1"), "64.7%");
  assert.equal(fieldValue("tax_per_kwh", 1.0447, "yuan/kWh"), "1.04 元/千瓦时");
  assert.equal(fieldValue("start_due", "2025-05-26", ""), "2025-05-26");
  assert.equal(exactMoney(11_781_080.5), "11,781,080.5 元");
});

test("a value names its file, row and layer; without them it says so", () => {
  const loads = { "L1-parcels": { file_name: "宗地.gpkg", data_date: "2026-06-30", loaded_at: "" } };
  assert.equal(sourceText({ load_id: "L1-parcels", row: 918 }, loads), "宗地.gpkg 第 918 条（宗地，数据日期 2026-06-30）");
  assert.equal(sourceText({ load_id: "L2", row: null }, loads), "L2");
  assert.equal(sourceText(null, loads), "来源未记载");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { hectares, landUse, money, mu, number, percent, quantity } from "../src/wording.js";

test("1 mu is 2000/3 square metres", () => {
  assert.equal(mu(2000 / 3), "1");
  assert.equal(mu((500 * 2000) / 3), "500");
  assert.equal(mu((1234.56 * 2000) / 3), "1,235");
  assert.equal(hectares(333_333.33), "33.33");
});

test("nothing is a dash, zero is zero", () => {
  for (const show of [mu, hectares, number, money, percent, quantity]) assert.equal(show(null), "—");
  assert.equal(mu(0), "0");
  assert.equal(money(0), "0 元");
  assert.equal(mu(Number.NaN), "—");
});

test("a value carries its unit", () => {
  assert.equal(quantity(13_636_200, "yuan"), "1,363.62 万元");
  assert.equal(quantity(208_000_000, "yuan"), "2.08 亿元");
  assert.equal(quantity(420_000, "yuan/mu"), "42 万元/亩");
  assert.equal(quantity(3.2, "km"), "3.2 公里");
  assert.equal(quantity(20_000, "kVA"), "20,000 kVA");
  assert.equal(quantity(0.62, "1"), "0.62");
  assert.equal(quantity("2025-05-20"), "2025-05-20");
  assert.equal(quantity("not_started"), "未动工");
  assert.equal(quantity(true), "是");
  assert.equal(quantity(["grace_years", "holder"]), "grace_years、使用权人");
});

test("land use says its name and keeps its code", () => {
  const groups = { 10: "工矿用地", 16: "留白用地" };
  assert.equal(landUse("100101", groups), "一类工业用地（100101）");
  assert.equal(landUse("16", groups), "留白用地（16）");
  assert.equal(landUse("M-2-2", groups), "M-2-2");
  assert.equal(landUse(null, groups), "—");
});

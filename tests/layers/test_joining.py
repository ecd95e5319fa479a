"""Firms find their parcel and contracts theirs; several candidates are named, known values stay, every row counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InvalidParameter
from geo.layers.mapping.joining import fill_parcel_ids, join_attributes
from geo.layers.profiles import apply_profile, load_profile, plain_profile
from geo.layers.schema import LAYERS
from tests.layers.tables import TABLES, layer_of


def rows(layer: str, **columns: list[Any]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    key = {} if LAYERS[layer].key in columns else {LAYERS[layer].key: [f"{layer}{i}" for i in range(count)]}
    spatial = LAYERS[layer].geometry is not None
    source = layer_of(pd.DataFrame({**key, **columns}), layer, spatial=spatial)
    return apply_profile(source, plain_profile(layer)).frame


PARCELS = rows(
    "parcels",
    parcel_id=["P1", "P2", "P3", "P4"],
    credit_code=["91330110MA00000001", "91330110MA00000002", "91330110ma00000002 ", None],
    holder=["甲公司", "乙公司", "乙公司", "丙（杭州）作坊"],
)


def test_firms_get_the_parcel_of_their_credit_code() -> None:
    firms = rows(
        "enterprises",
        credit_code=["91330110ＭＡ00000001", "91330110MA00000002", "91330110MA00000009", None, "x", "y"],
        holder=["甲公司", "乙公司", "甲公司", "丙(杭州)作坊", "丁", "戊"],
        parcel_id=[None, None, None, None, "P4", "P9"],
        备注=[None, "好", None, None, None, None],
    )
    found, counts = fill_parcel_ids(firms, PARCELS)
    assert [None if pd.isna(one) else one for one in found["parcel_id"]] == ["P1", None, None, None, "P4", "P9"]
    assert found["extra"][1] == {"备注": "好", "parcel_candidates": ["P2", "P3"]}
    assert counts == {
        "已有宗地代码": 1, "已有宗地代码，但不在宗地图层中": 1, "按信用代码补入": 1, "信用代码对应多宗地，未补入": 1,
        "没有对应的宗地": 2,
    }  # fmt: skip
    assert firms["parcel_id"].isna().sum() == 4  # the rows that came in are as they were


def test_names_are_compared_only_when_asked() -> None:
    firms = rows("enterprises", credit_code=[None, "z", None], holder=["丙(杭州)作坊", "甲公司", "乙公司"])
    found, counts = fill_parcel_ids(firms, PARCELS, by_holder=True)
    assert [None if pd.isna(one) else one for one in found["parcel_id"]] == ["P4", "P1", None]
    assert found["extra"][2] == {"parcel_candidates": ["P2", "P3"]}
    assert counts["按企业名称补入"] == 2
    assert fill_parcel_ids(firms, PARCELS)[0]["parcel_id"].isna().all()


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=8), st.lists(st.sampled_from("abce"))
)
def test_every_firm_is_counted_once(land: list[tuple[str, str]], codes: list[str]) -> None:
    parcels = pd.DataFrame(land, columns=["credit_code", "parcel_id"]).assign(holder=None)
    firms = pd.DataFrame({"credit_code": codes, "holder": None, "parcel_id": None, "extra": None}, dtype=object)
    found, counts = fill_parcel_ids(firms, parcels)
    assert sum(counts.values()) == len(firms)
    for code, parcel, extra in zip(codes, found["parcel_id"], found["extra"], strict=True):
        owned = sorted({each for owner, each in land if owner == code})
        assert parcel == owned[0] if len(owned) == 1 else pd.isna(parcel)
        assert (extra or {}).get("parcel_candidates", []) == (owned if len(owned) > 1 else [])


def contracts(**columns: list[Any]) -> pd.DataFrame:
    return apply_profile(layer_of(pd.DataFrame(columns), spatial=False), load_profile("contracts")).frame


def test_a_contract_fills_what_is_empty_and_overwrites_nothing() -> None:
    parcels = rows(
        "parcels", parcel_id=["P1", "P2"], supervision_no=["3301102020B00001", None], holder=["旧名", None],
        start_due=["2020-11-01", None], far_agreed=[None, 1.2], 备注=["原有", None],
    )  # fmt: skip
    table = contracts(
        宗地代码=[None, "P2", "P7"], 电子监管号=["3301102020b00001", "3301102020B00009", None],
        土地使用权人=["新名", "乙公司", "丙"], 约定开工时间=["2020年11月1日", "2021-05-01", None],
        **{"面积(公顷)": [1.5, 2.0, 3.0], "约定容积率下限": [2.0, 1.2, None], "成交价格(万元)": [100, None, 5]},
        土地用途=["工业用地", "工业用地", "工业用地"],
    )  # fmt: skip
    found = join_attributes(parcels, table)
    assert found.frame["holder"].tolist() == ["旧名", "乙公司"]
    assert [str(day.date()) for day in found.frame["start_due"]] == ["2020-11-01", "2021-05-01"]
    assert found.frame["declared_area_m2"].tolist() == [15_000, 20_000]
    assert found.frame["far_agreed"].tolist() == [2.0, 1.2]
    assert found.frame["land_price_yuan"].tolist() == pytest.approx([1_000_000, np.nan], nan_ok=True)
    assert found.frame["extra"].tolist() == [{"备注": "原有", "土地用途": "工业用地"}, {"土地用途": "工业用地"}]
    # The same day and the same ratio again are no conflict.
    assert found.conflicts.to_dict("records") == [
        {
            "parcel_id": "P1",
            "field": "holder",
            "kept": "旧名",
            "offered": "新名",
            "table_row": 0,
            "reason": "与现有值不同",
        }
    ]
    assert found.unmatched.tolist() == [2]
    assert found.changed.tolist() == [True, True]
    assert found.counts["找到宗地"] == 2
    assert found.counts["没有对应的宗地"] == 1
    assert type(found.frame) is type(parcels)


def test_amounts_of_a_contract_over_several_parcels_are_not_counted_for_each() -> None:
    parcels = rows("parcels", parcel_id=["P1", "P2"], supervision_no=["B1", "B1"])
    table = contracts(电子监管号=["B1"], 合同签订日期=["2020-04-01"], **{"成交价格(万元)": [100], "面积(公顷)": [3]})
    found = join_attributes(parcels, table)
    assert [str(day.date()) for day in found.frame["contract_date"]] == ["2020-04-01"] * 2
    assert found.frame["land_price_yuan"].isna().all()
    assert found.frame["extra"][1] == {"合同合计·土地价款（yuan）": 1_000_000, "合同合计·登记面积（m2）": 30_000}
    assert found.counts["一条记录对应多宗地"] == 1


def test_rows_that_disagree_about_a_parcel_fill_nothing() -> None:
    parcels = rows("parcels", parcel_id=["P1"], supervision_no=["B1"])
    table = contracts(
        电子监管号=["B1", "B1"], 土地使用权人=["甲", "乙"], 供地方式=["协议出让", "挂牌出让"], 土地来源=["新增", "存量"]
    )
    found = join_attributes(parcels, table)
    assert found.frame["holder"].isna().all()
    assert found.frame["supply_kind"].tolist() == ["grant"]  # both say grant
    assert found.frame["extra"][0] == {"土地来源": "新增"}
    assert found.conflicts[["field", "kept", "offered", "table_row", "reason"]].values.tolist() == [
        ["holder", None, "甲", 0, "表中各行不一致"],
        ["extra.土地来源", "新增", "存量", 1, "与现有值不同"],
        ["holder", None, "乙", 1, "表中各行不一致"],
    ]


def test_joining_again_changes_nothing() -> None:
    parcels = rows("parcels", parcel_id=["P1"], supervision_no=["3301102020B00001"])
    table = apply_profile(TABLES["contracts"].source(), load_profile("contracts")).frame
    once = join_attributes(parcels, table)
    again = join_attributes(once.frame, table)
    pd.testing.assert_frame_equal(pd.DataFrame(again.frame), pd.DataFrame(once.frame))
    assert not again.changed.any()
    assert len(again.conflicts) == 0


def test_nothing_to_join_by_is_refused() -> None:
    table = contracts(电子监管号=["B1"])
    with pytest.raises(InvalidParameter, match="no_such"):
        join_attributes(PARCELS, table, by=("no_such",))
    found = join_attributes(rows("parcels", parcel_id=["P1"]), table)
    assert found.unmatched.tolist() == [0]
    assert not found.changed.any()

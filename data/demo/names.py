"""Fictional names: towns, villages, firms, codes. No name is meant to be that of a real place or firm."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

_FIRST = "青白云河柳桃沙石高双望汇金银丰永安泰和瑞兴远长新古南北东西中芦荷菱桑榆枫松梅兰竹"
_SECOND = "洲渡桥墩浦塘湾圩溪港店庄集堰闸坝泽汀沟园"
_BRAND_A = "澜恒瑞盛华锦宏泰嘉鼎联创博远启晟凯隆腾汇信德源茂天海江东方新中明光正安康永丰金银玉"
_BRAND_B = "澜翔达通源成科力普特纳维邦诚益旺兴昌润泽辉耀峰岳川洋港宇宙辰星晨曦扬帆舟桥石森林"
_PLACE = ("澜港", "澜江", "长澜", "云溪", "东湾", "青洲", "白苇", "望湖")
_TAIL = (
    "有限公司",
    "科技有限公司",
    "实业有限公司",
    "集团有限公司",
    "制造有限公司",
    "股份有限公司",
    "工业有限公司",
    "精工有限公司",
    "发展有限公司",
    "产业有限公司",
)

INDUSTRY_WORD = {
    "13": "食品", "14": "冷链食品", "17": "纺织", "18": "服饰", "20": "木业", "21": "家居", "22": "纸业",
    "26": "新材料", "27": "医药", "29": "橡塑", "30": "建材", "33": "金属制品", "34": "机械", "35": "专用装备",
    "36": "汽车部件", "38": "电气", "39": "电子", "40": "仪表",
}  # fmt: skip


def town_names(count: int, taken: Collection[str]) -> list[str]:
    """Different names for towns beyond those ``taken``; numbered when the characters run out."""
    space = len(_FIRST) * len(_SECOND)
    names: list[str] = []
    index = 0
    while len(names) < count:
        number, again = (index * 367 + 41) % space, index // space
        name = _FIRST[number % len(_FIRST)] + _SECOND[number // len(_FIRST)] + (f"{again + 1}镇" if again else "镇")
        index += 1
        if name not in taken:
            names.append(name)
    return names


def village_names(count: int) -> list[str]:
    """Village names, repeating after some 860 (villages of one name in different towns are common)."""
    numbers = (np.arange(count) * 389 + 17) % (len(_FIRST) * len(_SECOND))
    return [_FIRST[n % len(_FIRST)] + _SECOND[n // len(_FIRST)] + "村" for n in numbers]


def firm_names(sector: NDArray[np.object_], rng: np.random.Generator, part: int) -> list[str]:
    """A different firm name for every two-digit sector in the list, same seed same names.

    ``part`` 0 and 1 never share a name, so that planted firms stay themselves whatever is drawn around them.
    """
    space = len(_BRAND_A) * len(_BRAND_B) * len(_PLACE) * len(_TAIL) // 2
    # A walk with a step prime to the space never repeats.
    number = (int(rng.integers(space)) + np.arange(len(sector), dtype=np.int64) * 104_729) % space * 2 + part
    a, rest = number % len(_BRAND_A), number // len(_BRAND_A)
    b, rest = rest % len(_BRAND_B), rest // len(_BRAND_B)
    place, tail = rest % len(_PLACE), rest // len(_PLACE)
    return [
        f"{_PLACE[p]}{_BRAND_A[i]}{_BRAND_B[k]}{INDUSTRY_WORD[s]}{_TAIL[t]}"
        for p, i, k, s, t in zip(place, a, b, sector, tail, strict=True)
    ]


def developer_names(count: int, rng: np.random.Generator) -> list[str]:
    """Names of housing and commercial developers; a developer may hold several parcels."""
    a, b = rng.integers(len(_BRAND_A), size=count), rng.integers(len(_BRAND_B), size=count)
    return [f"澜港{_BRAND_A[i]}{_BRAND_B[k]}置业有限公司" for i, k in zip(a, b, strict=True)]


def credit_codes(count: int) -> list[str]:
    """Codes shaped like a unified social credit code (18 characters) of the fictional county."""
    return [f"91320899MA{index:07d}{'ABCDEFGHJKLMNPQRTUWXY'[index % 21]}" for index in range(count)]

"""Layers in: a file's layers mapped, checked and stored, each load with its record; nothing is lost on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.crs import crs_name
from geo.errors import InvalidInput, InvalidParameter
from geo.layers.checking.shift import suspect_shift
from geo.layers.mapping.joining import fill_parcel_ids, join_attributes
from geo.layers.mapping.origins import ORIGIN_NAMES, has_field_sources, of_load, sources_of_joined, sources_of_kept
from geo.layers.mapping.proposal import Proposal, propose
from geo.layers.profiles import Mapped, Profile, apply_profile, importable_layers, plain_profile, with_columns
from geo.layers.quality import Checked, QualityRules, check, quarantined_rows
from geo.layers.reading import SourceLayer
from geo.layers.schema import LAYERS
from geo.store.base import Frame, Load, Mode, Query, Store
from geo.store.records import earlier_load, standing_loads

_CHINA = ZoneInfo("Asia/Shanghai")
Progress = Callable[[str], None]

# A proposal below this is shown, never taken.
CERTAIN_ENOUGH = 0.6
# Rows of the store that a new layer is compared with; a shift shows on far fewer.
_REFERENCE_ROWS = 20_000
_REFERENCE_MARGIN_DEG = 0.02
# Values of a joined table that were not taken, kept as examples in the report.
_CONFLICTS = 50


@dataclass(frozen=True, slots=True)
class Imported:
    """A load ready to be stored, with its rows and the first of them as they were read."""

    load: Load
    checked: Checked
    sample: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a prepared load; ``unchanged`` names the load that holds the same file already."""

    load: Load
    unchanged: str | None = None


def proposals(source: SourceLayer) -> list[Proposal]:
    """The mapping profiles that would fit a layer, best first."""
    geometry = None
    if isinstance(source.frame, gpd.GeoDataFrame):
        there = source.frame.geometry.dropna()
        geometry = None if there.empty else str(there.iloc[0].geom_type)
    table = source.frame.drop(columns=source.frame.geometry.name) if geometry else source.frame
    return propose([str(name) for name in table.columns], table.head(200), geometry, source.name)


def chosen_profile(profile: Profile | None, layer: str | None, fields: Sequence[str]) -> Profile | None:
    """The profile that a person asks for by name, by layer or by columns; ``None`` where nothing is said.

    Raises
    ------
    InvalidParameter
        What is said does not fit together.
    """
    chosen = profile or (plain_profile(layer) if layer else None)
    if chosen and layer and chosen.layer != layer:
        raise InvalidParameter(f"映射方案用于图层“{chosen.layer}”，不是“{layer}”", where="profile", remedy="请只写一个")
    if fields and chosen is None:
        raise InvalidParameter("指明字段时要同时指明图层或映射方案", where="field", remedy="例如 layer=parcels")
    return with_columns(chosen, fields) if chosen and fields else chosen


def profiles_for(
    sources: Sequence[SourceLayer],
    chosen: Profile | None,
    confirm: Callable[[SourceLayer, Proposal], Profile] = lambda source, found: found.profile,
) -> tuple[list[tuple[SourceLayer, Profile]], list[str]]:
    """Which profile each layer of a file is read by: as asked for, by its own name, or as proposed and confirmed.

    Parameters
    ----------
    sources : layers of one file
    chosen : profile that was asked for
    confirm : decides on a proposal; it raises where a person has to say yes first

    Returns
    -------
    (layers with their profiles, names of layers that are left out because only others are canonical)

    Raises
    ------
    InvalidInput
        Several layers and nothing that tells which is meant, or a layer that nothing is known of.
    """
    names = "、".join(source.name for source in sources)
    where = sources[0].file_name if sources else ""
    if not sources:
        raise InvalidInput("文件中没有图层", where=where, remedy="请检查文件")
    if chosen is not None:
        if len(sources) != 1:
            raise InvalidInput(f"文件中有多个图层：{names}", where=where, remedy="请用 --source-layer 指明一个")
        return [(sources[0], chosen)], []
    known = [(source, plain_profile(source.name)) for source in sources if source.name in importable_layers()]
    if known:
        return known, [source.name for source in sources if source.name not in importable_layers()]
    if len(sources) != 1:
        raise InvalidInput(
            f"文件中的图层（{names}）不是标准图层名", where=where,
            remedy="请用 --source-layer 逐个指明，并用 --layer 或 --profile 指明导入到哪个图层",
        )  # fmt: skip
    found = proposals(sources[0])
    if not found or found[0].score < CERTAIN_ENOUGH:
        told = "；".join(f"{one.profile.name}（{one.score:.0%}）" for one in found[:3])
        raise InvalidInput(
            f"不能从字段推断图层“{names}”是什么" + (f"，最接近的映射方案：{told}" if told else ""),
            where=where,
            remedy="请用 --profile 指明，或写 --layer parcels --field parcel_id=编号；文件中的字段："
            + "、".join(_columns(sources[0])),
        )
    return [(sources[0], confirm(sources[0], found[0]))], []


def _columns(source: SourceLayer) -> list[str]:
    frame = source.frame
    geometry = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    return [str(name) for name in frame.columns if name != geometry][:40]


def prepare_load(
    source: SourceLayer,
    profile: Profile,
    *,
    data_date: str | None = None,
    rules: QualityRules | None = None,
    standing: Store | None = None,
    read_with: Mapping[str, Any] | None = None,
) -> Imported:
    """Map and check one source layer; nothing is written.

    Parameters
    ----------
    source, profile : the layer as read, and what its columns mean
    data_date : the day that the data describe (ISO)
    rules : tolerances of the checks
    standing : a store to compare with: a shift against its layers is suspected, firms find their parcels
    read_with : what a person said to the reader (CRS, encoding …); kept, and a part of what makes an import the same

    Raises
    ------
    InvalidInput
        A column that the profile or the layer needs is missing.
    """
    now = datetime.now(_CHINA)
    load_id = f"L{now:%Y%m%d%H%M%S%f}-{profile.layer}"
    mapped = apply_profile(source, profile)
    rules = rules or QualityRules()
    told = {
        "encoding": source.encoding,
        "reader": list(source.notes),
        "mapping": mapped.mapping,
        "read_with": {
            **(read_with or {}),
            "source_layer": source.name,
            "profile": hashlib.sha256(profile.model_dump_json().encode()).hexdigest(),
        },
    }
    if profile.join:
        checked, found = _joined(mapped, profile, standing, load_id, f"{source.file_name}: {source.name}")
    else:
        checked = check(mapped, profile.layer, profile.duplicate_key, rules=rules, data_date=data_date)
        found = {}
        if standing is not None and profile.layer == "enterprises":
            firms, found["joined"] = _with_parcels(checked.features, standing)
            checked = replace(checked, features=firms)
        checked = replace(checked, features=of_load(checked.features, profile.layer, load_id))
        if standing is not None:
            found["shift"] = _shift(checked.features, profile.layer, standing)
    report = {**checked.report, **told, **found}
    load = Load(
        load_id=load_id,
        layer=profile.layer,
        file_name=source.file_name,
        sha256=source.sha256,
        profile=profile.name,
        source_crs="" if source.crs is None else crs_name(source.crs),
        loaded_at=now.isoformat(timespec="seconds"),
        data_date=data_date,
        read=len(source.frame),
        stored=len(source.frame) - len(checked.quarantine),
        repaired=checked.repaired,
        quarantined=len(checked.quarantine),
        report=report,
    )
    table = checked.quarantine.assign(
        load_id=load.load_id, row_id=[f"{load.load_id}/{row}" for row in checked.quarantine["source_row"]]
    )
    return Imported(load, replace(checked, quarantine=table, report=report), _sample(source))


def _joined(
    mapped: Mapped, profile: Profile, store: Store | None, load_id: str, where: str
) -> tuple[Checked, dict[str, Any]]:
    """A table without geometry, told to the rows that the store holds; rows that belong to none are quarantined."""
    layer = LAYERS[profile.layer]
    standing = None if store is None else store.read(Query(layer.name))
    if standing is None or standing.empty:
        raise InvalidInput(
            f"这张表要补入已有的{layer.zh}，但数据库中没有{layer.zh}", where=where, remedy="请先导入" + layer.zh
        )
    joined = join_attributes(standing, mapped.frame, profile.join)
    apart = np.zeros(len(mapped.frame), dtype=bool)
    apart[joined.unmatched] = True
    why = np.full(len(mapped.frame), f"没有对应的{layer.zh}", dtype=object)
    sources = sources_of_joined(joined.frame["field_sources"], joined.filled, load_id)
    changed = joined.frame.assign(field_sources=sources)[joined.changed].reset_index(drop=True)
    report = {
        "repaired": {},
        "quarantined": {f"没有对应的{layer.zh}": int(apart.sum())} if apart.any() else {},
        "notes": mapped.notes,
    }
    told = {
        "joined": joined.counts,
        "conflicts": json.loads(joined.conflicts.head(_CONFLICTS).to_json(orient="records", date_format="iso")),
        # As many rows are written as the table had something to say of, not as many as it has itself.
        "rows_written": len(changed),
    }
    return Checked(changed, quarantined_rows(mapped.frame, apart, why, layer), 0, report), told


def _sample(source: SourceLayer) -> list[dict[str, str]]:
    rows = source.frame.head(3)
    table = rows.drop(columns=rows.geometry.name) if isinstance(rows, gpd.GeoDataFrame) else rows
    return [
        {str(name): "" if value is None or value != value else str(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _with_parcels(firms: Frame, store: Store) -> tuple[Frame, dict[str, int]]:
    columns = ("parcel_id", "credit_code", "holder")
    return fill_parcel_ids(firms, store.read(Query("parcels", columns=columns, geometry=False)))


def _shift(features: Frame, layer: str, store: Store) -> dict[str, Any]:
    """Whether the layer seems moved against what the store holds: the same layer, else the parcels."""
    if not isinstance(features, gpd.GeoDataFrame) or features.empty:
        return {"assessed": False, "why": "没有几何"}
    west, south, east, north = (float(value) for value in features.total_bounds)
    margin = _REFERENCE_MARGIN_DEG
    box = (west - margin, south - margin, east + margin, north + margin)
    for name in dict.fromkeys((layer, "parcels", "zoning", "towns")):
        kind = LAYERS[name]
        if kind.geometry != LAYERS[layer].geometry:
            continue
        reference = store.read(Query(name, bbox=box, columns=(kind.key,), limit=_REFERENCE_ROWS))
        if len(reference):
            found = suspect_shift(features, reference, kind.key if name == layer else None)
            return {"reference": name, **found.as_dict()}
    return {"assessed": False, "why": "数据库中没有可比较的图层"}


def prepare_loads(
    sources: Iterable[SourceLayer],
    profile_of: Callable[[SourceLayer], Profile] | None = None,
    *,
    data_date: str | None = None,
    standing: Store | None = None,
    read_with: Mapping[str, Any] | None = None,
    progress: Progress = lambda step: None,
) -> list[Imported]:
    """Map and check layers by their profiles (by their own names where none is given); nothing is written."""
    prepared = []
    for source in sources:
        progress(f"检查 {LAYERS[source.name].zh if source.name in LAYERS else source.name}")
        profile = profile_of(source) if profile_of else plain_profile(source.name)
        prepared.append(prepare_load(source, profile, data_date=data_date, standing=standing, read_with=read_with))
    return prepared


def store_loads(
    store: Store,
    prepared: Iterable[Imported],
    mode: Mode = "replace",
    *,
    again: bool = False,
    progress: Progress = lambda step: None,
) -> list[Stored]:
    """Store prepared layers, each in its own transaction.

    Parameters
    ----------
    mode : ``replace`` the layer, ``append`` rows with new keys, ``update`` rows by key and add the new ones, where
        fields that the file has no column for stay as they are
    again : store a file that the layer holds already, instead of leaving it as it is

    Raises
    ------
    InvalidInput
        A key of an appended row is there already.
    """
    done = []
    prepared = list(prepared)
    if mode == "replace":
        refuse_one_over_another(prepared)
    before = standing_loads(store.loads())
    for item in prepared:
        # A table that was joined speaks of some rows of the layer and says nothing of the others.
        way: Mode = "update" if "rows_written" in item.load.report else mode
        load = replace(item.load, report={**item.load.report, "mode": way})
        same = None if again else earlier_load(before, load)
        if same is not None and _as_it_is(before, load, same, way):
            progress(f"未写入 {LAYERS[load.layer].zh}：同一文件已在 {same.loaded_at} 导入")
            done.append(Stored(load, same.load_id))
            continue
        features = item.checked.features
        if way == "update" and "rows_written" not in load.report:
            features, emptied = _with_what_stands(store, features, load)
            load = replace(load, report={**load.report, "emptied": emptied})
        if load.read and not load.stored:
            # A file of which no row can be taken would leave an empty layer behind, with nothing said but a count.
            reason = max(item.load.report["quarantined"].items(), key=lambda one: one[1])
            raise InvalidInput(
                f"{load.read:,} 行中没有一行可以存入{LAYERS[load.layer].zh}（{reason[0]} {reason[1]:,} 行），未写入",
                where=load.file_name, remedy="请用 lianpian check 加 --quarantine 查看这些行",
            )  # fmt: skip
        progress(f"写入 {LAYERS[load.layer].zh}")
        store.write_load(load, features, item.checked.quarantine, way)
        done.append(Stored(load))
    return done


def refuse_one_over_another(prepared: Iterable[Imported]) -> None:
    """``InvalidInput`` where two layers of a file would replace the same layer, the second one the first."""
    layers = [item.load.layer for item in prepared if "rows_written" not in item.load.report]
    twice = [LAYERS[name].zh for name in dict.fromkeys(layers) if layers.count(name) > 1]
    if twice:
        raise InvalidInput(
            f"文件中有多个图层要导入同一图层：{'、'.join(twice)}", where=next(iter(prepared)).load.file_name,
            remedy="后者会替换前者：请用 --source-layer 逐个指明，第二个起用 --append",
        )  # fmt: skip


def _with_what_stands(store: Store, features: Frame, load: Load) -> tuple[Frame, dict[str, int]]:
    """Rows of an update with the stored values of fields that the file has no column for.

    Returns
    -------
    (rows, field -> stored values that the file empties, because its column is there and says nothing)
    """
    layer = LAYERS[load.layer]
    standing = store.read(Query(layer.name, geometry=False)).set_index(layer.key)
    there = features[layer.key].isin(standing.index).to_numpy()
    if not there.any():
        return features, {}
    before = standing.reindex(features[layer.key])
    told = set(load.report["mapping"]["fields"]) | {layer.key, "area_m2", "extra"}
    filled, emptied = features.copy(), {}
    kept: list[str] = []
    for name in (name for name in standing.columns if name not in ORIGIN_NAMES):
        old, new = before[name].reset_index(drop=True), filled[name].reset_index(drop=True)
        if name == "extra":
            merged = [
                {**(kept if isinstance(kept, dict) else {}), **(fresh if isinstance(fresh, dict) else {})} or None
                for kept, fresh in zip(old, new, strict=True)
            ]
            filled[name] = pd.Series(merged, index=filled.index, dtype=object)
        elif name not in told and new.isna().all():
            filled[name] = old.set_axis(filled.index)
            kept.append(name)
        elif lost := int((old.notna() & new.isna()).sum()):
            emptied[name] = lost
    if has_field_sources(layer.name):
        filled["field_sources"] = pd.Series(sources_of_kept(before, kept), index=filled.index, dtype=object)
    return filled, emptied


def _as_it_is(before: list[Load], load: Load, same: Load, mode: Mode) -> bool:
    """Whether storing the file of ``same`` once more would change nothing: nothing came to the layer after it."""
    if same.data_date != load.data_date:
        return False
    standing = [each for each in before if each.layer == same.layer]
    if mode == "replace":
        return [each.load_id for each in standing] == [same.load_id]
    return mode == "append" or standing[-1].load_id == same.load_id

"""Zipped Shapefiles that ArcGIS, CAD and Excel in a land office open with Chinese intact.

The format holds ten bytes of a name, 254 bytes of a text, one type of geometry and two gigabytes. Everything that does
not fit is known before the first row is written, and said: names come from the field dictionary in the zip, texts are
cut between characters and counted, other types of geometry get files of their own, more than two gigabytes are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
import shapely

from geo.errors import InvalidParameter
from geo.layers.dictionary import Column, NameRules, cut, dictionary_csv
from geo.layers.formats.archive import pack, read_me
from geo.layers.formats.job import Job, told, write_with_gdal
from geo.layers.formats.spool import GEOMETRY
from geo.layers.formats.stream import FAMILIES_ZH, Dialect, families, outgoing

ENCODINGS = ("GBK", "GB18030", "UTF-8")
MAX_TEXT_BYTES = 254
MAX_FILE_BYTES = 2**31 - 1
_MAX_RECORD_BYTES = 65_535
_RESERVED = frozenset({"fid", "oid", "objectid", "shape", "geometry", "shape_area", "shape_leng", "shape_length"})
_DIALECT = Dialect(narrow=True, promote=False, collections=False, wide_as_text=True)


@dataclass
class _Plan:
    """What is known of the texts before they are written.

    ``encoding`` of the table; ``widths`` of each text column in bytes; ``cut_rows`` column -> texts that are cut;
    ``beyond_gbk`` texts with a character that GBK does not have.
    """

    encoding: str
    widths: dict[str, int] = field(default_factory=dict)
    cut_rows: Counter[str] = field(default_factory=Counter)
    beyond_gbk: int = 0


def write_shapefile(job: Job) -> Iterator[str]:
    """One Shapefile for each family of geometry, in a zip with its field dictionary.

    Raises
    ------
    InvalidParameter
        An encoding that is not offered, Chinese names in UTF-8, canonical names, more than 2 GB.
    """
    encoding = _encoding(job)
    columns = job.columns(_name_rules(encoding))
    plan = _plan(job, columns, encoding)
    present = families(job.spool, _DIALECT)
    _check_size(job, columns, plan)
    folder = job.path.with_name("parts")
    folder.mkdir()
    layer = job.spool.layer

    def fitted(column: Column, array: pa.Array) -> pa.Array:
        if not plan.cut_rows[column.name]:
            return array
        coded = array.dictionary_encode()
        texts = [cut(text, MAX_TEXT_BYTES, plan.encoding) for text in coded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(coded.indices, pa.array(texts, pa.string())).cast(pa.string())

    notes = list(_notes(columns, plan))
    for number, family in enumerate(present):
        rows = outgoing(
            job.spool,
            columns,
            _DIALECT,
            job.crs,
            only=family,
            without_geometry=number == 0,
            convert=fitted,
            widths=plan.widths,
        )
        # Lines and polygons have one type in this format whether they have one part or many.
        rows.geometry_type = {"polygon": "Polygon", "line": "LineString"}.get(family, rows.geometry_type)
        name = layer.name if len(present) == 1 else f"{layer.name}_{family}"
        write_with_gdal(rows, folder / f"{name}.shp", "ESRI Shapefile", name, job.crs_text, encoding=plan.encoding)
        notes += told(rows)
    if len(present) > 1:
        notes.append("不同类型的几何分写为多个文件：" + "、".join(FAMILIES_ZH[family] for family in present))
    remarks = {name: f"{rows} 行超过 {MAX_TEXT_BYTES} 字节，已截断" for name, rows in plan.cut_rows.items() if rows}
    texts = {
        "字段对照表.csv": dictionary_csv(columns, lambda column: remarks.get(column.name, "")),
        "说明.txt": read_me(job.about, notes),
    }
    pack(job.path, folder, texts)
    yield from notes


def _encoding(job: Job) -> str:
    encoding = (job.encoding or "GBK").upper().replace("UTF8", "UTF-8")
    if encoding not in ENCODINGS:
        raise InvalidParameter(
            f"Shapefile 不支持编码“{job.encoding}”", where="encoding", remedy="可用：" + "、".join(ENCODINGS)
        )
    if job.names == "canonical":
        raise InvalidParameter(
            "Shapefile 的字段名最多 10 个字节，放不下完整字段名", where="names", remedy="可用：short、zh"
        )
    if encoding == "UTF-8" and job.names == "zh":
        raise InvalidParameter(
            "UTF-8 的 Shapefile 放不下中文字段名（每个汉字 3 字节，共 10 字节）",
            where="names",
            remedy="请用 names=short，或 encoding=GBK",
        )
    return encoding


def _name_rules(encoding: str) -> NameRules:
    # Names in GBK even where the texts need GB18030: its four-byte characters would leave two of them.
    codec = "utf-8" if encoding == "UTF-8" else "gbk"
    return NameRules(encoding=codec, max_bytes=10, reserved=_RESERVED, forbidden=r"\W", letter_first=True)


def _plan(job: Job, columns: tuple[Column, ...], encoding: str) -> _Plan:
    """Go over all texts once, each distinct one of a batch once."""
    texts = [column for column in columns if column.kind in ("text", "json")]
    long_rows: dict[str, Counter[str]] = {name: Counter() for name in ("gbk", "gb18030", "utf-8")}
    widest: dict[str, Counter[str]] = {name: Counter() for name in long_rows}
    beyond = 0
    # The stream gives each column as it will be written, keys of ``extra`` included.
    rows = outgoing(replace(job.spool, has_geometry=False), columns, _DIALECT, job.crs)
    for batch in rows.reader:
        for column in texts:
            counts = pc.value_counts(batch[column.name].drop_null())
            for text, count in zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True):
                for codec in ("utf-8",) if encoding == "UTF-8" else ("gbk", "gb18030"):
                    try:
                        size = len(text.encode(codec))
                    except UnicodeEncodeError:
                        beyond += count
                        continue
                    widest[codec][column.name] = max(widest[codec][column.name], size)
                    long_rows[codec][column.name] += count if size > MAX_TEXT_BYTES else 0
    chosen = "GB18030" if encoding == "GBK" and beyond else encoding
    codec = chosen.lower()
    plan = _Plan(chosen, cut_rows=long_rows[codec], beyond_gbk=beyond)
    for column in texts:
        plan.widths[column.name] = min(MAX_TEXT_BYTES, max(1, widest[codec][column.name]))
    for column in columns:
        if column.kind == "integer":
            # Up to 18 digits every reader takes a whole number for one; a longer one is written as text.
            plan.widths[column.name] = 20 if rows.schema.field(column.name).type == pa.string() else 18
    return plan


def _notes(columns: tuple[Column, ...], plan: _Plan) -> Iterator[str]:
    if plan.encoding == "GB18030" and plan.beyond_gbk:
        yield f"有 {plan.beyond_gbk} 个文本值含 GBK 没有的字，编码改用 GB18030（.cpg 已注明）"
    called = {column.name: column.zh for column in columns}
    for name, rows in plan.cut_rows.items():
        if rows:
            yield f"字段 {name}（{called[name]}）有 {rows} 行超过 {MAX_TEXT_BYTES} 字节，已在字符边界截断"


def _check_size(job: Job, columns: tuple[Column, ...], plan: _Plan) -> None:
    """Refuse what would grow past the limits of the format, before anything is written."""
    fixed = {"real": 24, "integer": 18, "date": 8, "boolean": 1}
    record = 1 + sum(plan.widths.get(column.name) or fixed[column.kind] for column in columns)
    if record > _MAX_RECORD_BYTES or len(columns) > 255:
        raise InvalidParameter(
            f"{len(columns)} 个字段超出 Shapefile 的限度", where="columns", remedy="请少选字段，或改用 GeoPackage"
        )
    shapes = 100
    for batch in job.spool.batches():
        geometries = shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False))
        rings = shapely.get_num_coordinates(geometries).sum(), len(shapely.get_parts(geometries))
        holes = shapely.get_num_interior_rings(shapely.get_parts(geometries)).sum()
        shapes += int(52 * len(geometries) + 16 * rings[0] + 4 * (rings[1] + holes))
    largest = max(shapes, 33 + 32 * len(columns) + record * job.spool.rows)
    if largest > MAX_FILE_BYTES:
        raise InvalidParameter(
            f"需要 {largest / 2**30:.1f} GB，超过 Shapefile 单个文件 2 GB 的上限",
            where=job.spool.layer.name,
            remedy="请改用 GeoPackage 或 FileGDB，或缩小范围、少选字段",
        )

"""Which form of an answer a client wants: ``f=``, else its Accept header; and in which language a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from starlette.requests import Request

from api.dependencies import get_base_url
from geo.errors import InvalidParameter

Language = Literal["zh", "en"]


def wanted_form(request: Request, forms: Mapping[str, str], default: str) -> str:
    """A word of ``forms`` (word -> media type).

    Raises
    ------
    InvalidParameter
        ``f`` is none of them.
    """
    word = request.query_params.get("f")
    if word is not None:
        known = {"json": default, "parquet": "geoparquet"}.get(word, word)
        if known not in forms:
            raise InvalidParameter(f"没有格式“{word[:40]}”", where="f", remedy="可用：" + "、".join(forms))
        return known
    accept = request.headers.get("accept", "")
    if not accept or accept == "*/*":
        return default
    media = {kind.split(";")[0]: name for name, kind in forms.items()}
    media.setdefault("application/json", default)
    best, weight = default, 0.0
    for part in accept.split(","):
        kind, *options = (piece.strip() for piece in part.split(";"))
        q = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            value = float(q)
        except ValueError:
            continue
        if kind in media and value > weight:
            best, weight = media[kind], value
    return best


def wanted_language(request: Request) -> Language:
    """``lang``, else the first language of Accept-Language that there is; Chinese where none is."""
    word = request.query_params.get("lang")
    if word is not None:
        if word not in ("zh", "en"):
            raise InvalidParameter(f"没有语言“{word[:20]}”", where="lang", remedy="可用：zh、en")
        return "en" if word == "en" else "zh"
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in ("zh", "en"):
            return "en" if code == "en" else "zh"
    return "zh"


def only(request: Request, *names: str) -> None:
    """Refuse a parameter that means nothing here (/req/core/query-param-unknown)."""
    unknown = sorted(set(request.query_params) - {"f", "lang", *names})
    if unknown:
        raise InvalidParameter(
            f"未知参数：{'、'.join(name[:40] for name in unknown)}",
            where=unknown[0][:40],
            remedy="可用：" + "、".join(("f", "lang", *names)),
        )


def own_address(request: Request) -> str:
    """The address of a request as links name it."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{get_base_url(request)}{request.url.path}{query}"

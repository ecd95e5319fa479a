"""``python -m data.demo --out DIR --parcels N``: write the demo district to a folder."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from data.demo.generate import build_district, write_district
from geo.errors import LianpianError


def main() -> int:
    """Read the command line, build, write; file names to stdout, what was planted to stderr."""
    parser = argparse.ArgumentParser(prog="python -m data.demo", description="生成示范区数据")
    parser.add_argument("--out", type=Path, required=True, help="输出文件夹")
    parser.add_argument("--parcels", type=int, default=20_000, help="宗地数量（默认 20000）")
    parser.add_argument("--seed", type=int, default=None, help="随机种子（默认取参数文件）")
    given = parser.parse_args()
    try:
        district = build_district(given.parcels, given.seed)
    except LianpianError as error:
        print(f"{error}；{error.remedy}", file=sys.stderr)
        return error.exit_code
    for path in write_district(district, given.out):
        print(path)
    print(json.dumps(district.truth["counts"], ensure_ascii=False), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

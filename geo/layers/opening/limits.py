"""What a file may cost: bounds on size, members, rows, vertices, memory and time, all kept by the reading process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one reading. The defaults hold a county's cadastre (a million parcels) and no bomb.

    Parameters
    ----------
    file_bytes : of the file (or folder) as it comes
    members, member_bytes, unpacked_bytes : of an archive: how many files, how large each, how large together
    ratio : how many times larger a member may be than it is packed
    layers, fields, rows : of one file; fields and rows of each layer
    vertices_of_one, vertices : of one geometry, and of a layer
    memory_bytes : address space of the reading process
    output_bytes : of one file that the reading process writes
    crossing_bytes : of all rows of a layer in memory, as they are handed over
    time_s : seconds until the reading process is ended
    """

    file_bytes: int = 4 * 1024**3
    members: int = 4096
    member_bytes: int = 2 * 1024**3
    unpacked_bytes: int = 4 * 1024**3
    ratio: int = 200
    layers: int = 500
    fields: int = 1000
    rows: int = 5_000_000
    vertices_of_one: int = 2_000_000
    vertices: int = 300_000_000
    memory_bytes: int = 12 * 1024**3
    output_bytes: int = 8 * 1024**3
    crossing_bytes: int = 6 * 1024**3
    time_s: float = 900.0

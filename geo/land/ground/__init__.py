"""Buildings on parcels by overlay: the ground they cover, their floor area, and the land they leave vacant."""

from geo.land.ground.table import Ground, ground_and_rest, ground_of

__all__ = ["Ground", "ground_and_rest", "ground_of"]

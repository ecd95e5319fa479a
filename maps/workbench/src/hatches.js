// Draws the hatches that the style describes; the style has no sprite.

/** @typedef {{colour: string, spacing_px: number, width_px: number, angle: number, cross: boolean}} Pattern */

const PIXEL_RATIO = 2;

/** A seamless square of parallel lines. @param {Pattern} pattern @returns {ImageData} */
export function drawHatch({ colour, spacing_px, width_px, angle, cross }) {
  const side = Math.round(spacing_px * PIXEL_RATIO);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.strokeStyle = colour;
  pen.lineWidth = width_px * PIXEL_RATIO;
  pen.beginPath();
  if (angle === 0) line(pen, 0, side / 2, side, side / 2);
  if (angle === 90) line(pen, side / 2, 0, side / 2, side);
  // Diagonals are drawn three times, one square apart, so that the corners of neighbouring squares meet.
  for (const shift of [-side, 0, side]) {
    if (angle === 45 || cross) line(pen, shift - side, 2 * side, shift + 2 * side, -side);
    if (angle === 135 || cross) line(pen, shift - side, -side, shift + 2 * side, 2 * side);
  }
  pen.stroke();
  return pen.getImageData(0, 0, side, side);
}

/** @param {CanvasRenderingContext2D} pen @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
function line(pen, x1, y1, x2, y2) {
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
}

/**
 * Gives the map its hatches when the style first asks for them.
 * @param {import("maplibre-gl").Map} map @param {Record<string, Pattern>} patterns
 */
export function provideHatches(map, patterns) {
  map.setMissingStyleImageResolver((name) => {
    const pattern = patterns[name];
    if (pattern && !map.hasImage(name)) map.addImage(name, drawHatch(pattern), { pixelRatio: PIXEL_RATIO });
  });
}

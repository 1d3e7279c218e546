import type { Point } from "./types";

export interface View {
  cx: number;
  cy: number;
  scale: number;
}

export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

const NEAREST = 1e6; // pixels a unit of data; beyond it, float32 positions show their steps
const FARTHEST = 40;

/**
 * The one camera of the points and of the overlay: the place in the middle, and how many pixels a unit of data has.
 * In pixels, so that a card that grows shows more and zooms nothing, and linked maps of other sizes agree.
 */
export class Camera {
  cx = 0;
  cy = 0;
  scale = 100;
  width = 1;
  height = 1;

  /** The zoom: 1 shows y from -1 to 1. */
  get k(): number {
    return (2 * this.scale) / this.height;
  }

  screenX(x: number): number {
    return this.width / 2 + (x - this.cx) * this.scale;
  }

  screenY(y: number): number {
    return this.height / 2 - (y - this.cy) * this.scale;
  }

  toData(px: number, py: number): Point {
    return [this.cx + (px - this.width / 2) / this.scale, this.cy - (py - this.height / 2) / this.scale];
  }

  /** The view matrix of regl-scatterplot, column by column. */
  matrix(): Float32Array {
    const { k } = this;
    return new Float32Array([k, 0, 0, 0, 0, k, 0, 0, 0, 0, 1, 0, -k * this.cx, -k * this.cy, 0, 1]);
  }

  view(): View {
    return { cx: this.cx, cy: this.cy, scale: this.scale };
  }

  set(view: View): void {
    this.cx = Math.min(4, Math.max(-4, view.cx));
    this.cy = Math.min(4, Math.max(-4, view.cy));
    this.scale = Math.min(NEAREST, Math.max(FARTHEST, view.scale));
  }

  zoomAt(px: number, py: number, factor: number): void {
    const [x, y] = this.toData(px, py);
    const scale = Math.min(NEAREST, Math.max(FARTHEST, this.scale * factor));
    const rest = this.scale / scale;
    this.set({ cx: x + (this.cx - x) * rest, cy: y + (this.cy - y) * rest, scale });
  }

  panBy(dx: number, dy: number): void {
    this.set({ cx: this.cx - dx / this.scale, cy: this.cy + dy / this.scale, scale: this.scale });
  }

  /** The view that shows a box whole, with `pad` pixels around it, clear of a corner `left` wide and `below` high. */
  fitting(box: Box, pad: number, left: number, below: number): View {
    const spanX = Math.max(box.x1 - box.x0, 1e-3);
    const spanY = Math.max(box.y1 - box.y0, 1e-3);
    const free = (size: number): number => Math.max(size - 2 * pad, size / 4);
    const high = free(this.height) / spanY;
    // Beside what is covered where there is room for the whole height, else above it; never smaller for its sake.
    const scale = Math.min(free(this.width) / spanX, high);
    const aside = Math.min(left, Math.max(0, free(this.width) - spanX * scale));
    const above = aside < left ? Math.min(below, Math.max(0, free(this.height) - spanY * scale)) : 0;
    return { cx: (box.x0 + box.x1 - aside / scale) / 2, cy: (box.y0 + box.y1 - above / scale) / 2, scale };
  }
}

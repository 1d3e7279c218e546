import type { Box } from "./camera";

/** Points sorted into square cells (a counting sort: two passes, no object a point), to find the nearest fast. */
export class Grid {
  readonly box: Box;
  private readonly side: number;
  private readonly starts: Uint32Array;
  private readonly order: Uint32Array;
  private readonly cellX: number;
  private readonly cellY: number;

  constructor(private readonly xy: Float32Array) {
    const n = xy.length / 2;
    this.box = bounds(xy);
    this.side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(n / 4))));
    this.cellX = Math.max((this.box.x1 - this.box.x0) / this.side, 1e-9);
    this.cellY = Math.max((this.box.y1 - this.box.y0) / this.side, 1e-9);
    this.starts = new Uint32Array(this.side * this.side + 1);
    this.order = new Uint32Array(n);
    const cells = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      const cell = this.column(xy[2 * i]!) + this.side * this.row(xy[2 * i + 1]!);
      cells[i] = cell;
      this.starts[cell + 1]!++;
    }
    for (let c = 0; c < this.side * this.side; c++) this.starts[c + 1]! += this.starts[c]!;
    const next = this.starts.slice();
    for (let i = 0; i < n; i++) this.order[next[cells[i]!]!++] = i;
  }

  private column(x: number): number {
    return Math.min(this.side - 1, Math.max(0, Math.floor((x - this.box.x0) / this.cellX)));
  }

  private row(y: number): number {
    return Math.min(this.side - 1, Math.max(0, Math.floor((y - this.box.y0) / this.cellY)));
  }

  /** Calls `visit` for every point in the cells that a box touches (so for some outside it as well). */
  visit(box: Box, visit: (i: number) => void): void {
    const [c0, c1, r0, r1] = [this.column(box.x0), this.column(box.x1), this.row(box.y0), this.row(box.y1)];
    for (let r = r0; r <= r1; r++) {
      const from = this.starts[r * this.side + c0]!;
      const to = this.starts[r * this.side + c1 + 1]!;
      for (let s = from; s < to; s++) visit(this.order[s]!);
    }
  }

  /** The visible point nearest to (x, y) within a radius, or -1. Of two at one place the later drawn wins. */
  nearest(x: number, y: number, radius: number, visible: (i: number) => boolean): number {
    let best = -1;
    let least = radius * radius;
    this.visit({ x0: x - radius, y0: y - radius, x1: x + radius, y1: y + radius }, (i) => {
      const dx = this.xy[2 * i]! - x;
      const dy = this.xy[2 * i + 1]! - y;
      const d = dx * dx + dy * dy;
      if (d <= least && visible(i)) {
        least = d;
        best = i;
      }
    });
    return best;
  }
}

export function bounds(xy: Float32Array): Box {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < xy.length; i += 2) {
    const x = xy[i]!;
    const y = xy[i + 1]!;
    if (x < x0) x0 = x;
    if (x > x1) x1 = x;
    if (y < y0) y0 = y;
    if (y > y1) y1 = y;
  }
  return x0 <= x1 && y0 <= y1 ? { x0, y0, x1, y1 } : { x0: -1, y0: -1, x1: 1, y1: 1 };
}

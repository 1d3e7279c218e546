import type { Box } from "./camera";
import type { Point } from "./types";

/** Is (x, y) inside? Even–odd rule, as on the server. */
export function inside(polygon: Point[], x: number, y: number): boolean {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i]!;
    const [xj, yj] = polygon[j]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

export function boxOf(polygon: Point[]): Box {
  const xs = polygon.map((p) => p[0]);
  const ys = polygon.map((p) => p[1]);
  return { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs), y1: Math.max(...ys) };
}

/**
 * Drop the vertices that carry least area until at most `most` are left (Visvalingam–Whyatt), but never one whose
 * removal would make the outline cross itself: a crossing flips inside and outside under the even–odd rule.
 */
export function simplify(polygon: Point[], most: number): Point[] {
  const ring = polygon.filter((p, i) => i === 0 || p[0] !== polygon[i - 1]![0] || p[1] !== polygon[i - 1]![1]);
  while (ring.length > most) {
    const areas = ring.map((p, i) => ({ i, area: triangle(before(ring, i), p, after(ring, i)) }));
    areas.sort((a, b) => a.area - b.area);
    const victim = areas.find(({ i }) => !wouldCross(ring, i)) ?? areas[0]!;
    ring.splice(victim.i, 1);
  }
  return ring;
}

function before(ring: Point[], i: number): Point {
  return ring[(i + ring.length - 1) % ring.length]!;
}

function after(ring: Point[], i: number): Point {
  return ring[(i + 1) % ring.length]!;
}

function triangle(a: Point, b: Point, c: Point): number {
  return Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]));
}

function wouldCross(ring: Point[], i: number): boolean {
  const n = ring.length;
  const a = before(ring, i);
  const b = after(ring, i);
  for (let e = 0; e < n; e++) {
    const f = (e + 1) % n;
    const touches = [e, f].some((v) => v === i || v === (i + n - 1) % n || v === (i + 1) % n);
    if (!touches && cross(a, b, ring[e]!, ring[f]!)) return true;
  }
  return false;
}

function cross(a: Point, b: Point, c: Point, d: Point): boolean {
  const side = (p: Point, q: Point, r: Point): number => (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
  return side(a, b, c) > 0 !== side(a, b, d) > 0 && side(c, d, a) > 0 !== side(c, d, b) > 0;
}

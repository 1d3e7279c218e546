import type { Camera } from "./camera";
import type { Grid } from "./grid";
import { boxOf, inside, simplify } from "./polygon";
import type { Scene } from "./scene";
import type { Point } from "./types";

const MOST_VERTICES = 400;

export interface Enclosed {
  polygon: Point[];
  members: Uint32Array;
}

/** An outline in pixels as a polygon of the data, and the visible points in it. The members never leave the page. */
export function enclose(outline: Point[], camera: Camera, scene: Scene, grid: Grid, takes: (i: number) => boolean): Enclosed {
  const exact = Math.fround; // as the points are, and as the server rounds it
  const polygon = simplify(outline, MOST_VERTICES).map(([px, py]): Point => {
    const [x, y] = camera.toData(px, py);
    return [exact(x), exact(y)];
  });
  const { xy } = scene.loaded;
  const box = boxOf(polygon);
  const members: number[] = [];
  grid.visit(box, (i) => {
    const x = xy[2 * i]!;
    const y = xy[2 * i + 1]!;
    if (x < box.x0 || x > box.x1 || y < box.y0 || y > box.y1) return;
    if (takes(i) && inside(polygon, x, y)) members.push(i);
  });
  return { polygon, members: Uint32Array.from(members) };
}

import type { Camera } from "./camera";
import type { Scene } from "./scene";
import type { Mode } from "./types";

export interface KeyHost {
  readonly camera: Camera;
  readonly mode: Mode;
  readonly cursor: number;
  setMode(mode: Mode): void;
  zoom(factor: number): void;
  fit(): void;
  step(dx: number, dy: number): void;
  pick(index: number): void;
  escape(): void;
}

const ARROWS: Record<string, [number, number]> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** The keys of the map; those it takes are not heard by the page. */
export function listen(canvas: HTMLCanvasElement, host: KeyHost): void {
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !handle(event.key, host)) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function handle(key: string, host: KeyHost): boolean {
  const arrow = ARROWS[key];
  if (arrow) host.step(...arrow);
  else if (key === "Enter" && host.cursor >= 0) host.pick(host.cursor);
  else if (key === "+" || key === "=") host.zoom(1.4);
  else if (key === "-" || key === "_") host.zoom(1 / 1.4);
  else if (key === "0") host.fit();
  else if (key === "l") host.setMode(host.mode === "lasso" ? "pan" : "lasso");
  else if (key === "b") host.setMode(host.mode === "box" ? "pan" : "box");
  else if (key === "Escape") host.escape();
  else return false;
  return true;
}

/**
 * The visible point that comes next in a direction: within 45° of it, near first and straight ahead before aside.
 * Without a start, the visible point nearest to the middle of the view.
 */
export function next(scene: Scene, camera: Camera, from: number, dx: number, dy: number, visible: (i: number) => boolean): number {
  const { xy } = scene.loaded;
  const x0 = from >= 0 ? xy[2 * from]! : camera.cx;
  const y0 = from >= 0 ? xy[2 * from + 1]! : camera.cy;
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < scene.n; i++) {
    if (i === from) continue;
    const ox = xy[2 * i]! - x0;
    const oy = xy[2 * i + 1]! - y0;
    const ahead = ox * dx + oy * dy;
    const aside = Math.abs(ox * dy - oy * dx);
    const cost = from >= 0 ? ahead + 2 * aside : Math.hypot(ox, oy);
    if (cost < least && (from < 0 || (ahead > 0 && aside <= ahead)) && visible(i)) {
      least = cost;
      best = i;
    }
  }
  return best;
}

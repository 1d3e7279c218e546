import type { View } from "./camera";
import type { Stage } from "./stage";
import type { Point } from "./types";

/** What tests and benchmarks may look at, as `window.__alvinMaps[key]`. */
export interface Handle {
  readonly n: number;
  readonly drawn: number;
  readonly ready: boolean;
  view(): View;
  screenOf(index: number): Point;
}

declare global {
  interface Window {
    __alvinMaps?: Record<string, Handle>;
  }
}

export function publish(name: string, stage: Stage, canvas: HTMLElement, settled: () => boolean): () => void {
  const handle: Handle = {
    get n() {
      return stage.scene?.n ?? 0;
    },
    get drawn() {
      return stage.drawn;
    },
    get ready() {
      return stage.drawn > 0 && !stage.drawing && settled();
    },
    view: () => stage.camera.view(),
    screenOf: (index) => {
      const box = canvas.getBoundingClientRect();
      const { xy } = stage.scene!.loaded;
      return [box.left + stage.camera.screenX(xy[2 * index]!), box.top + stage.camera.screenY(xy[2 * index + 1]!)];
    },
  };
  const all = (window.__alvinMaps ??= {});
  all[name] = handle;
  return () => {
    if (all[name] === handle) delete all[name]; // a newer mount of the same key may have taken the name
  };
}

import createScatterplot, { createRenderer } from "regl-scatterplot";
import type { Layers, Rgb } from "./types";

/** How the WebGL layer treats a point: `above` is drawn by the overlay instead. */
export const STATE = { plain: 0, above: 1, match: 2 } as const;

export interface Style {
  colors: Rgb[];
  hidden: ReadonlySet<number>;
  layers: Layers;
  searching: boolean;
  n: number;
  dark: boolean;
}

const TRANSITION_MS = 500;

// regl-scatterplot indexes the points for its own hover and lasso. We have a grid of our own and handle the pointer
// ourselves, so it is handed an index of nothing: at a million points that saves seconds and tens of megabytes.
// (kdbush header: magic, version 1 with type Float64, node size 16, no items.)
const NO_INDEX = new Uint8Array([0xdb, 0x18, 16, 0, 0, 0, 0, 0]).buffer;

export class WebGLMissing extends Error {}

/** The pool, drawn by regl-scatterplot. It draws only when told to, and reports each frame so that the overlay follows. */
export class Points {
  /** Part of the running transition that is done; 1 when nothing moves. */
  progress = 1;
  private readonly renderer: ReturnType<typeof createRenderer>;
  private readonly plot: ReturnType<typeof createScatterplot>;
  private readonly surface = document.createElement("canvas");
  private styled = 0;
  private dead = false;

  constructor(canvas: HTMLCanvasElement, onFrame: () => void, onLost: () => void) {
    if (this.surface.getContext("webgl", { alpha: true, antialias: false, preserveDrawingBuffer: true }) === null) {
      throw new WebGLMissing("this browser gives no WebGL");
    }
    this.surface.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      if (!this.dead) onLost();
    });
    this.renderer = createRenderer({ canvas: this.surface });
    if (!this.renderer.isSupported) throw new WebGLMissing("this browser's WebGL has no float textures");
    this.plot = createScatterplot({
      canvas,
      renderer: this.renderer,
      syncEvents: true,
      cameraIsFixed: true, // our camera drives it, see `look`
      actionKeyMap: {},
      deselectOnEscape: false,
      deselectOnDblClick: false,
      colorBy: "valueA",
      opacityBy: "valueA",
      pointColor: [[0, 0, 0, 1], [0, 0, 0, 1]],
      opacity: [1],
      spatialIndexUseWorker: false,
    } as Parameters<typeof createScatterplot>[0]);
    this.plot.subscribe("drawing", onFrame);
  }

  resize(width: number, height: number): void {
    this.renderer.resize(width, height);
    this.renderer.refresh();
    void this.plot.set({ width, height });
  }

  look(matrix: Float32Array): void {
    this.plot.view(Array.from(matrix), { preventEvent: true });
  }

  /** Colours, hidden entries, layers and dimming are palettes: a change costs no work per point. */
  style(style: Style): void {
    const { opacity, size } = weightOf(style.n);
    const shown = style.layers.pool ? opacity : 0;
    const colors: number[][] = [];
    const opacities: number[] = [];
    for (const state of [STATE.plain, STATE.above, STATE.match]) {
      for (let code = 0; code < 256; code++) {
        colors.push([...style.colors[code]!, 1]);
        let alpha = state === STATE.above || style.hidden.has(code) ? 0 : shown;
        if (style.searching && alpha > 0) alpha = state === STATE.match ? 0.95 : alpha * (style.dark ? 0.3 : 0.25);
        opacities.push(alpha);
      }
    }
    // regl-scatterplot ignores new opacities that hold the same set of values as the old: one more makes them differ.
    this.styled = (this.styled + 1) % 1000;
    opacities.push(this.styled / 1000 + 1e-4);
    void this.plot.set({ pointColor: colors as [number, number, number, number][], opacity: opacities, pointSize: size });
  }

  /** Draw the points at `xy`; `values` are state * 256 + code. Resolves when they stand still. */
  async show(xy: Float32Array, values: Float32Array, moving: boolean): Promise<void> {
    const n = values.length;
    const x = new Float32Array(n);
    const y = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      x[i] = xy[2 * i]!;
      y[i] = xy[2 * i + 1]!;
    }
    this.progress = moving ? 0 : 1;
    await this.plot.draw(
      { x, y, valueA: values },
      {
        zDataType: "categorical",
        wDataType: "categorical",
        spatialIndex: NO_INDEX,
        transition: moving,
        transitionDuration: TRANSITION_MS,
        transitionEasing: (t: number) => (this.progress = cubicInOut(Math.min(1, Math.max(0, t)))),
      },
    );
    this.progress = 1;
  }

  destroy(): void {
    this.dead = true;
    this.plot.destroy();
    const context = this.surface.getContext("webgl");
    this.renderer.destroy();
    context?.getExtension("WEBGL_lose_context")?.loseContext(); // a page has 16 contexts: give it back now
  }
}

function cubicInOut(t: number): number {
  return t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
}

/** The more points, the smaller and fainter each, so that where they are dense still shows; diameters are in CSS pixels. */
export function weightOf(n: number): { opacity: number; size: number } {
  const crowd = Math.min(1, Math.max(0, (Math.log10(Math.max(n, 1)) - 3) / 3)); // 0 at a thousand, 1 at a million
  return { opacity: 0.54 * 0.2 ** crowd, size: 4.8 - 3.2 * crowd };
}

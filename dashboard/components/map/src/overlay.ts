import type { Camera } from "./camera";
import * as draw from "./glyphs";
import type { Scene } from "./scene";
import { css, type Theme } from "./theme";
import { type Layers, MARK, type Point, type Rgb } from "./types";

const MOST_RINGS = 4000; // more matches or members than this are told apart by brightness alone

/** All that the overlay draws, besides the scene itself. */
export interface Extras {
  layers: Layers;
  hidden: ReadonlySet<number>;
  colors: Rgb[];
  theme: Theme;
  hover: number;
  cursor: number;
  focus: number;
  region: Point[] | null;
  ghost: Point[] | null;
  members: Uint32Array | null;
  stroke: { kind: "lasso" | "box"; points: Point[] } | null;
}

/** The canvas above the points: everything that is marked, with the same camera, drawn again at each frame. */
export class Overlay {
  private readonly pen: CanvasRenderingContext2D;
  private ratio = 0; // canvas pixels of a CSS pixel

  constructor(readonly canvas: HTMLCanvasElement) {
    this.pen = canvas.getContext("2d")!;
  }

  /** Does the canvas have the screen's pixels, as of now? */
  get isSharp(): boolean {
    return this.ratio === devicePixelRatio;
  }

  resize(width: number, height: number): void {
    this.ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
  }

  /** `from` and `progress` place the marks along a running transition. */
  draw(camera: Camera, scene: Scene, extras: Extras, from: Float32Array | null, progress: number): void {
    const { pen } = this;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, camera.width, camera.height);
    const frame = new Frame(pen, camera, scene, extras, from, progress);
    frame.anchors();
    frame.labeled();
    frame.selected();
    frame.rings();
    frame.attention();
    frame.regions();
  }
}

class Frame {
  private readonly size: number;

  constructor(
    private readonly pen: CanvasRenderingContext2D,
    private readonly camera: Camera,
    private readonly scene: Scene,
    private readonly extras: Extras,
    private readonly from: Float32Array | null,
    private readonly progress: number,
  ) {
    // Marks grow a little with the zoom, and are smaller where thousands stand close together.
    const crowd = scene.marked.labeled.length > 3000 ? 0.7 : 1;
    this.size = crowd * Math.min(1.5, Math.max(0.85, 1 + 0.16 * Math.log2(Math.max(camera.k, 0.25))));
  }

  private x(i: number): number {
    const to = this.scene.loaded.xy[2 * i]!;
    return this.camera.screenX(this.from ? this.from[2 * i]! + (to - this.from[2 * i]!) * this.progress : to);
  }

  private y(i: number): number {
    const to = this.scene.loaded.xy[2 * i + 1]!;
    return this.camera.screenY(this.from ? this.from[2 * i + 1]! + (to - this.from[2 * i + 1]!) * this.progress : to);
  }

  private each(indexes: Uint32Array | number[], paint: (x: number, y: number, i: number) => void): void {
    for (const i of indexes) {
      if (i < 0 || i >= this.scene.n || this.extras.hidden.has(this.scene.loaded.codes[i]!)) continue;
      const x = this.x(i);
      const y = this.y(i);
      if (x > -20 && y > -20 && x < this.camera.width + 20 && y < this.camera.height + 20) paint(x, y, i);
    }
    this.pen.globalAlpha = 1;
  }

  private fillOf(i: number): string {
    return css(this.extras.colors[this.scene.loaded.codes[i]!]!);
  }

  private dim(i: number): void {
    this.pen.globalAlpha = this.scene.data.searching && !this.scene.has(i, MARK.match) ? 0.22 : 1;
  }

  anchors(): void {
    const { anchors } = this.scene.loaded;
    const { layers, theme, focus } = this.extras;
    if (!anchors || !(layers.anchors || layers.segments)) return;
    const reasons = new Set(anchors.picks.filter((pick) => pick[1] === focus).map((pick) => pick[0]));
    const alpha = (this.scene.data.searching ? 0.35 : 1) * this.progress;
    // Hundreds of lines over each other would hide the points: the more there are, the fainter is each.
    const crowd = Math.max(0.3, Math.min(1, Math.sqrt(60 / anchors.xy.length)));
    const loud = Math.max(0.3, Math.min(1, Math.sqrt(16 / Math.max(1, reasons.size))));
    const places = anchors.xy.map(([x, y]) => [this.camera.screenX(x), this.camera.screenY(y)] as Point);
    // Those that retrieved the focused example last, so that they lie on top of the others.
    const order = places.map((_, a) => a).sort((a, b) => Number(reasons.has(a)) - Number(reasons.has(b)));
    for (const a of layers.segments ? order : []) {
      const why = reasons.has(a);
      this.pen.globalAlpha = why ? alpha * loud : alpha * crowd * (reasons.size === 0 ? 1 : 0.5);
      const ends = [anchors.minority[a]!, anchors.majority[a]!].filter((i) => i >= 0);
      for (const i of ends) draw.line(this.pen, places[a]!, [this.x(i), this.y(i)], why ? theme.accent : theme.segment, why ? 0.9 + 0.9 * loud : 1);
      if (why) draw.line(this.pen, places[a]!, [this.x(focus), this.y(focus)], theme.accent, 1.6, [2, 3]);
    }
    for (const a of layers.anchors ? order : []) {
      const why = reasons.has(a);
      this.pen.globalAlpha = why ? alpha : alpha * Math.sqrt(crowd) * (reasons.size === 0 ? 1 : 0.6);
      draw.cross(this.pen, places[a]!, (why ? 4.6 : 2.6 + crowd) * this.size, why ? theme.accent : theme.anchor, theme.card);
    }
    this.pen.globalAlpha = 1;
  }

  labeled(): void {
    if (!this.extras.layers.labeled) return;
    const { labeled, since } = this.scene.marked;
    const { theme } = this.extras;
    this.each(labeled, (x, y, i) => {
      if (this.scene.has(i, MARK.minority)) return;
      this.dim(i);
      draw.disc(this.pen, x, y, 4.6 * this.size, this.fillOf(i), theme.card, 1.5);
    });
    this.each(labeled, (x, y, i) => {
      if (!this.scene.has(i, MARK.minority)) return;
      this.dim(i);
      draw.diamond(this.pen, x, y, 6.3 * this.size, this.fillOf(i), theme.outline, 1.5);
    });
    this.each(since, (x, y, i) => {
      this.dim(i);
      draw.disc(this.pen, x, y, 4.6 * this.size, this.fillOf(i), theme.outline, 1.2);
      draw.disc(this.pen, x, y, 1.7 * this.size, theme.card, theme.card, 0.4);
    });
  }

  selected(): void {
    const { layers, theme } = this.extras;
    if (!layers.selected) return;
    this.each(this.scene.marked.selected, (x, y, i) => {
      this.dim(i);
      if (!this.scene.has(i, MARK.labeled)) draw.disc(this.pen, x, y, 4.2 * this.size, this.fillOf(i), theme.card, 1);
      draw.ring(this.pen, x, y, 8 * this.size, theme.card, 4.2);
      draw.ring(this.pen, x, y, 8 * this.size, theme.accent, 2.2);
    });
  }

  rings(): void {
    const { layers, theme, members } = this.extras;
    const { other, match, flagged } = this.scene.marked;
    if (layers.other) {
      this.each(other, (x, y, i) => {
        this.dim(i);
        draw.ring(this.pen, x, y, 10.8 * this.size, theme.second, 1.9, [3.2, 2.6]);
      });
    }
    if (this.scene.data.searching && match.length <= MOST_RINGS) {
      this.each(match, (x, y, i) => {
        if (this.seen(i)) draw.ring(this.pen, x, y, 5.6 * this.size, theme.ink, 1.4);
      });
    }
    if (members !== null && members.length <= MOST_RINGS) {
      this.each(members, (x, y) => draw.ring(this.pen, x, y, 3.6 * this.size, theme.ink, 0.9));
    }
    this.each(flagged, (x, y, i) => {
      if (this.seen(i)) draw.flag(this.pen, x, y, this.size, theme.ink);
    });
  }

  private seen(i: number): boolean {
    return this.scene.visible(i, this.extras.layers, this.extras.hidden);
  }

  attention(): void {
    const { theme, hover, cursor, focus } = this.extras;
    this.each(this.scene.data.lit, (x, y, i) => {
      draw.disc(this.pen, x, y, 4.8 * this.size, this.fillOf(i), theme.ink, 2);
      draw.ring(this.pen, x, y, 8 * this.size, theme.ink, 1, [1.5, 2]);
    });
    this.each([focus], (x, y, i) => draw.target(this.pen, x, y, 12 * this.size, this.fillOf(i), theme));
    this.each([cursor], (x, y) => draw.brackets(this.pen, x, y, 14 * this.size, theme.ink, theme.card));
    this.each([hover], (x, y) => {
      draw.ring(this.pen, x, y, 8.5 * this.size, theme.card, 3.6);
      draw.ring(this.pen, x, y, 8.5 * this.size, theme.ink, 1.7);
    });
  }

  regions(): void {
    const { region, ghost, stroke, theme } = this.extras;
    const onScreen = (polygon: Point[]): Point[] =>
      polygon.map(([x, y]) => [this.camera.screenX(x), this.camera.screenY(y)]);
    if (region) draw.area(this.pen, onScreen(region), theme.accent, []);
    if (ghost) draw.area(this.pen, onScreen(ghost), theme.muted, [5, 4]);
    if (stroke) draw.area(this.pen, stroke.points, theme.accent, [4, 3]);
  }
}

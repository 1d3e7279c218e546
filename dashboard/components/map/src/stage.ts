import { Camera } from "./camera";
import { Grid } from "./grid";
import { type Extras, Overlay } from "./overlay";
import { Points, WebGLMissing } from "./points";
import type { Scene } from "./scene";
import type { Shell } from "./shell";
import { palette, type Theme } from "./theme";
import { type Layers, type Mode, type Rgb } from "./types";

const REACH_PX = 12;
const FIT_PAD = 28;
const FOLDED_PX = 48;
const NO_WEBGL =
  "The map is drawn with WebGL, which this browser does not offer. Switch hardware acceleration on in its settings, or use another browser.";
const LOST_WEBGL = "The browser took the map's graphics memory back.";

/** What is on screen: one scene, drawn by two layers under one camera. */
export class Stage {
  readonly camera = new Camera();
  readonly hidden = new Set<number>();
  readonly marks: Pick<Extras, "hover" | "cursor" | "focus" | "region" | "ghost" | "members" | "stroke"> = {
    hover: -1,
    cursor: -1,
    focus: -1,
    region: null,
    ghost: null,
    members: null,
    stroke: null,
  };
  layers!: Layers;
  theme!: Theme;
  mode: Mode = "pan";
  scene: Scene | null = null;
  drawn = 0;
  drawing = false;
  whole = false;
  private colors: Rgb[] = [];
  private readonly overlay: Overlay;
  private points: Points | null = null;
  private sized: Points | null = null;
  private from: Float32Array | null = null; // where the points stood before the running transition
  private index: Grid | null = null;
  private outdated = false;
  private queued = 0;
  private gone = false;
  private revived = -Infinity;
  private readonly resized: ResizeObserver;

  constructor(
    private readonly shell: Shell,
    private readonly reportWebGL: (works: boolean) => void,
    private readonly moved: () => void,
  ) {
    this.overlay = new Overlay(shell.overlay);
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(shell.stage);
  }

  /** Show a scene: by moving the points of the one before, or at once. */
  put(scene: Scene, moving: boolean): void {
    const before = this.scene;
    if (before === null || before.loaded.xy !== scene.loaded.xy) this.index = null;
    this.from = moving && before !== null && before.n === scene.n ? before.loaded.xy : null;
    this.scene = scene;
    this.shell.legend.element.hidden = false;
    void this.show();
  }

  /** The same points with another message around them: a focus, a layer, a label. */
  renew(scene: Scene): void {
    this.scene = scene;
    this.restyle();
  }

  /** While one scene is being drawn, later ones wait, and only the last of them is drawn. */
  private async show(): Promise<void> {
    if (this.drawing) {
      this.outdated = true;
      return;
    }
    const points = this.start();
    const { scene } = this;
    if (points === null || scene === null) return;
    this.drawing = true;
    this.outdated = false;
    this.resize();
    this.restyle();
    await points.show(scene.loaded.xy, scene.values, this.from !== null);
    if (this.gone || this.points !== points) return;
    this.drawing = false;
    if (this.outdated) return this.show();
    this.from = null;
    this.drawn++;
    this.paint();
  }

  private start(): Points | null {
    if (this.points !== null) return this.points;
    try {
      this.points = new Points(this.shell.canvas, () => this.paint(), () => this.revive());
    } catch (error) {
      if (!(error instanceof WebGLMissing)) throw error;
      this.lost(NO_WEBGL);
    }
    return this.points;
  }

  /** A context that the browser took back can mostly be had again; twice within seconds means that it cannot. */
  private revive(): void {
    const again = performance.now() - this.revived > 10_000;
    this.revived = performance.now();
    if (!again) return this.lost(LOST_WEBGL);
    this.points?.destroy();
    this.points = null;
    this.drawing = false;
    this.from = null;
    this.shell.renewCanvas();
    void this.show();
  }

  private lost(message: string): void {
    const { points } = this;
    this.points = null;
    this.drawing = false;
    points?.destroy();
    this.reportWebGL(false);
    this.shell.notice(message, () => {
      this.shell.notice(null);
      this.shell.renewCanvas();
      void this.show().then(() => this.points !== null && this.reportWebGL(true));
    });
  }

  resize(): void {
    const { clientWidth: width, clientHeight: height } = this.shell.stage;
    if (width === 0 || height === 0) return;
    const { camera } = this;
    const same = camera.width === width && camera.height === height;
    if (same && this.overlay.isSharp && this.points === this.sized) return;
    camera.width = width;
    camera.height = height;
    this.shell.legend.settle(width);
    this.overlay.resize(width, height);
    this.points?.resize(width, height);
    this.sized = this.points;
    if (this.whole && !same) this.fit();
    this.look();
    this.paint(); // now: a resized canvas is empty until it is drawn again
  }

  restyle(): void {
    const { scene, shell } = this;
    if (scene === null) return;
    const { data, n } = scene;
    this.colors = palette(data.codes, this.theme);
    const { colors, hidden, layers, theme } = this;
    this.points?.style({ colors, hidden, layers, searching: data.searching, n, dark: theme.dark });
    shell.legend.update(scene, hidden, layers, colors, theme);
    shell.toolbar.update(data, layers, this.mode);
    shell.badge(data.place_note);
    shell.overlay.dataset["mode"] = this.mode;
    this.repaint();
  }

  look(): void {
    this.points?.look(this.camera.matrix());
    this.repaint();
  }

  /** Show all; a card that changes its size goes on showing all until a person moves the map. */
  fit(): void {
    if (this.scene === null) return;
    const { offsetWidth, offsetHeight } = this.shell.legend.element;
    const left = offsetHeight > FOLDED_PX ? offsetWidth : 0; // a folded legend hides too little to give it a side
    this.camera.set(this.camera.fitting(this.grid.box, FIT_PAD, left, offsetHeight));
    this.moved();
    this.whole = true;
  }

  repaint(): void {
    this.queued ||= requestAnimationFrame(() => {
      this.queued = 0;
      this.paint();
    });
  }

  private paint(): void {
    const { scene, layers, hidden, colors, theme } = this;
    if (scene === null || colors.length === 0) return;
    if (!this.overlay.isSharp) return this.resize(); // the page was moved to a screen of other pixels
    const progress = this.from === null ? 1 : (this.points?.progress ?? 1);
    this.overlay.draw(this.camera, scene, { ...this.marks, layers, hidden, colors, theme }, this.from, progress);
  }

  get grid(): Grid {
    return (this.index ??= new Grid(this.scene!.loaded.xy));
  }

  readonly visible = (i: number): boolean => this.scene!.visible(i, this.layers, this.hidden);

  nearest(px: number, py: number): number {
    if (this.scene === null) return -1;
    const [x, y] = this.camera.toData(px, py);
    return this.grid.nearest(x, y, REACH_PX / this.camera.scale, this.visible);
  }

  destroy(): void {
    this.gone = true;
    this.resized.disconnect();
    cancelAnimationFrame(this.queued);
    this.points?.destroy();
    this.points = null;
  }
}

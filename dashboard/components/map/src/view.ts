import type { View } from "./camera";
import { reducedMotion } from "./dom";
import { load, type Loaded, signature } from "./fetching";
import { publish } from "./handle";
import { type KeyHost, listen, next } from "./keyboard";
import { Link, type Linked, type SharedRegion } from "./links";
import { Pointer, type PointerHost } from "./pointer";
import { enclose } from "./region";
import { Scene } from "./scene";
import { Shell, type ShellHost } from "./shell";
import { Stage } from "./stage";
import { themeOf } from "./theme";
import type { ComponentArgs, LayerName, MapData, Mode, Point, Region } from "./types";

/** One map on the page: takes messages, fetches what they name, has it drawn, and reports what a person does. */
export class MapView implements PointerHost, KeyHost, ShellHost, Linked {
  calls = 0; // of the mount, see main.ts
  private readonly shell: Shell;
  private readonly stage: Stage;
  private readonly pointer: Pointer;
  private readonly link = new Link(this);
  private readonly unpublish: () => void;
  private args!: ComponentArgs;
  private wanted: MapData | null = null;
  private fetching: { stop: AbortController; signature: string } | null = null;
  private region: Region | null = null;
  private stamp = 0;
  private fitNext = true;

  constructor(parent: Node, name: string) {
    this.shell = new Shell(parent, this);
    const works = (webgl: boolean): void => this.args.setStateValue("webgl", webgl);
    this.stage = new Stage(this.shell, works, () => this.cameraMoved());
    this.pointer = new Pointer(this.shell.overlay, this);
    listen(this.shell.overlay, this);
    this.unpublish = publish(name, this.stage, this.shell.overlay, () => !this.fetching && this.stage.scene?.data === this.wanted);
  }

  get camera() {
    return this.stage.camera;
  }

  get mode(): Mode {
    return this.stage.mode;
  }

  get cursor(): number {
    return this.stage.marks.cursor;
  }

  /** Called by Streamlit at every change of the data, and of its theme. */
  update(args: ComponentArgs): void {
    const { data } = args;
    const before = this.wanted;
    const { scene } = this.stage;
    Object.assign(this, { args, wanted: data });
    this.stage.theme = themeOf(this.shell.root);
    this.shell.dress(data, this.stage.theme);
    this.link.join(data.link);
    this.adopt(before, data);
    this.stage.resize();
    const needed = signature(data);
    if (scene !== null && signature(scene.data) === needed) {
      this.settle();
      this.stage.renew(scene.with(data));
      if (this.fitNext) this.fit();
      this.fitNext = false;
    } else if (this.fetching?.signature !== needed) {
      void this.fetch(data);
    }
  }

  /** What the server changed since its last message is taken over; what a person changed here otherwise stays. */
  private adopt(before: MapData | null, data: MapData): void {
    const { stage } = this;
    const changed = (part: (data: MapData) => unknown): boolean =>
      before === null || JSON.stringify(part(before)) !== JSON.stringify(part(data));
    if (changed((d) => d.layers)) stage.layers = { ...data.layers };
    if (changed((d) => d.mode)) stage.mode = data.mode;
    if (changed((d) => d.focus)) stage.marks.focus = data.focus ?? -1;
    if (changed((d) => d.codes.title)) stage.hidden.clear();
    if (before !== null && before.view !== data.view) {
      this.fitNext = true;
      stage.marks.cursor = -1;
      this.dropRegion();
    }
  }

  private async fetch(data: MapData): Promise<void> {
    this.fetching?.stop.abort();
    const mine = { stop: new AbortController(), signature: signature(data) };
    this.fetching = mine;
    this.shell.busy(true);
    try {
      const loaded = await load(data, mine.stop.signal);
      if (this.fetching !== mine) return;
      this.settle();
      this.arrived(this.wanted!, loaded); // a newer message that names the same arrays: its focus, its layers
    } catch (error) {
      if (this.fetching !== mine) return;
      this.settle();
      const why = error instanceof Error ? error.message : String(error);
      this.shell.notice(`The map's data did not come: ${why}.`, () => void this.fetch(this.wanted!));
    }
  }

  /** Nothing is on its way any more. */
  private settle(): void {
    this.fetching?.stop.abort();
    this.fetching = null;
    this.shell.busy(false);
    this.shell.notice(null);
  }

  private arrived(data: MapData, loaded: Loaded): void {
    const { stage } = this;
    const before = stage.scene;
    const moved = before !== null && before.data.positions !== data.positions;
    if (moved) {
      this.left();
      this.dropRegion(); // its outline was drawn around the points as they stood
    }
    if (before !== null && before.data.marks.revision !== data.marks.revision) this.shell.tooltip.forget(); // labels changed
    if (stage.marks.cursor >= loaded.codes.length) stage.marks.cursor = -1;
    stage.put(new Scene(data, loaded), moved && before.data.view === data.view && !reducedMotion());
    if (this.fitNext) this.fit();
    this.fitNext = false;
  }

  // With the pointer …

  cameraMoved(): void {
    this.shell.tooltip.hide();
    this.stage.whole = false;
    this.stage.look();
    for (const other of this.link.others) other.sharedView(this.camera.view());
  }

  pointed(px: number, py: number): void {
    const index = this.stage.nearest(px, py);
    this.hoverOver(index);
    for (const other of this.link.others) other.sharedHover(index);
    if (index < 0) return this.shell.tooltip.hide();
    const { width, height } = this.camera;
    this.shell.tooltip.show(this.stage.scene!.data.texts, index, px, py, [width, height]);
  }

  left(): void {
    this.shell.tooltip.hide();
    this.hoverOver(-1);
    for (const other of this.link.others) other.sharedHover(-1);
  }

  private hoverOver(index: number): void {
    if (index === this.stage.marks.hover) return;
    this.stage.marks.hover = index;
    this.shell.overlay.dataset["over"] = String(index >= 0);
    this.stage.repaint();
  }

  clicked(px: number, py: number): void {
    const index = this.stage.nearest(px, py);
    if (index >= 0) this.pick(index);
    else this.clearRegion();
  }

  stroked(stroke: { kind: "lasso" | "box"; points: Point[] } | null): void {
    Object.assign(this.stage.marks, { stroke });
    this.stage.repaint();
  }

  enclosed(kind: "lasso" | "box", outline: Point[]): void {
    const { stage } = this;
    if (stage.scene === null) return;
    const { polygon, members } = enclose(outline, this.camera, stage.scene, stage.grid, stage.visible); // the server's rule
    if (polygon.length < 3) return;
    const { view, round, revision, codes } = stage.scene.data;
    const seen = { codes_revision: codes.revision, hidden: [...stage.hidden], layers: { ...stage.layers } };
    this.region = { kind, polygon, view, round, revision, ...seen, count: members.length, stamp: this.nextStamp() };
    Object.assign(stage.marks, { region: polygon, ghost: null, members: null });
    this.args.setStateValue("region", this.region);
    for (const other of this.link.others) other.sharedRegion({ polygon, members });
    this.shell.say(`${members.length} examples inside`);
    stage.repaint();
  }

  // … with the toolbar and the legend …

  toggle(layer: LayerName): void {
    this.stage.layers = { ...this.stage.layers, [layer]: !this.stage.layers[layer] };
    this.stage.restyle();
  }

  toggleCode(code: number): void {
    if (!this.stage.hidden.delete(code)) this.stage.hidden.add(code);
    this.stage.restyle();
  }

  setMode(mode: Mode): void {
    this.stage.mode = mode;
    this.stage.restyle();
  }

  zoom(factor: number): void {
    this.camera.zoomAt(this.camera.width / 2, this.camera.height / 2, factor);
    this.cameraMoved();
  }

  fit(): void {
    this.stage.fit();
  }

  // … and with the keyboard.

  step(dx: number, dy: number): void {
    const { scene, marks, visible } = this.stage;
    if (scene === null) return;
    const index = next(scene, this.camera, marks.cursor >= 0 ? marks.cursor : marks.focus, dx, dy, visible);
    if (index < 0) return this.shell.say("No example further in this direction");
    marks.cursor = index;
    this.follow(scene, index);
    this.stage.repaint();
    this.shell.tooltip.spoken(scene.data.texts, index).then(
      (spoken) => marks.cursor === index && this.shell.say(spoken),
      () => this.shell.say("The text of this example did not come"),
    );
  }

  private follow(scene: Scene, index: number): void {
    const { width, height } = this.camera;
    const x = this.camera.screenX(scene.loaded.xy[2 * index]!);
    const y = this.camera.screenY(scene.loaded.xy[2 * index + 1]!);
    if (x > 30 && y > 30 && x < width - 30 && y < height - 30) return;
    this.camera.panBy(width / 2 - x, height / 2 - y);
    this.cameraMoved();
  }

  pick(index: number): void {
    const { view, round } = this.stage.scene!.data;
    this.stage.marks.focus = index;
    this.shell.tooltip.hide();
    this.args.setStateValue("picked", { index, view, round, stamp: this.nextStamp() });
    this.stage.repaint();
  }

  escape(): void {
    if (this.pointer.abandon()) return;
    this.shell.tooltip.hide();
    this.stage.marks.cursor = -1;
    this.clearRegion();
    this.stage.repaint();
  }

  private clearRegion(): void {
    if (this.region === null && this.stage.marks.ghost === null) return;
    this.dropRegion();
    this.shell.say("Region cleared");
  }

  private dropRegion(): void {
    Object.assign(this.stage.marks, { region: null, ghost: null, members: null });
    this.stage.repaint();
    if (this.region === null) return;
    this.region = null;
    this.args.setStateValue("region", null);
    for (const other of this.link.others) other.sharedRegion(null);
  }

  private readonly nextStamp = (): number => (this.stamp = Math.max(this.stamp + 1, Date.now()));

  // What the other maps of the link tell.

  sharedView(view: View): void {
    this.camera.set(view);
    this.stage.whole = false;
    this.stage.look();
  }

  sharedHover(index: number): void {
    this.hoverOver(this.stage.scene !== null && index < this.stage.scene.n ? index : -1);
  }

  sharedRegion(region: SharedRegion | null): void {
    if (region !== null && this.region !== null) {
      this.region = null; // one region a link: the newer one stands
      this.stage.marks.region = null;
      this.args.setStateValue("region", null);
    }
    Object.assign(this.stage.marks, { ghost: region?.polygon ?? null, members: region?.members ?? null });
    this.stage.repaint();
  }

  destroy(): void {
    this.settle();
    this.link.leave();
    this.stage.destroy();
    this.shell.remove();
    this.unpublish();
  }
}

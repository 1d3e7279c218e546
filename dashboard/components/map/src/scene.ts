import type { Loaded } from "./fetching";
import { STATE } from "./points";
import { type Layers, MARK, type MapData } from "./types";

/** The indexes of the points that carry a mark, found once: the overlay never looks at all the points. */
export interface Marked {
  labeled: Uint32Array;
  selected: Uint32Array;
  other: Uint32Array;
  since: Uint32Array;
  flagged: Uint32Array;
  match: Uint32Array;
}

/** One drawn state of the map, whole: what is on screen, not what is being fetched. */
export class Scene {
  readonly marked: Marked;
  /** What the WebGL layer reads of a point: its state * 256 + its code. */
  readonly values: Float32Array;

  constructor(
    readonly data: MapData,
    readonly loaded: Loaded,
  ) {
    const { marks, codes } = loaded;
    const lists: Record<keyof Marked, number[]> = { labeled: [], selected: [], other: [], since: [], flagged: [], match: [] };
    const names = Object.keys(lists) as (keyof Marked)[];
    this.values = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i++) {
      const mark = marks[i]!;
      let state: number = STATE.plain;
      if (mark !== 0) {
        for (const name of names) if (mark & MARK[name]) lists[name].push(i);
        if (mark & MARK.labeled) state = STATE.above;
        else if (mark & MARK.match) state = STATE.match;
      }
      this.values[i] = state * 256 + codes[i]!;
    }
    this.marked = Object.fromEntries(names.map((name) => [name, Uint32Array.from(lists[name])])) as unknown as Marked;
  }

  /** The same points, with another message around them. */
  with(data: MapData): Scene {
    return Object.assign(Object.create(Scene.prototype) as Scene, this, { data });
  }

  get n(): number {
    return this.loaded.codes.length;
  }

  has(i: number, bit: number): boolean {
    return (this.loaded.marks[i]! & bit) !== 0;
  }

  /** Is the point's own layer on, and its colour not hidden? */
  inLayer(i: number, layers: Layers, hidden: ReadonlySet<number>): boolean {
    if (hidden.has(this.loaded.codes[i]!)) return false;
    return this.has(i, MARK.labeled) ? layers.labeled : layers.pool;
  }

  /** Is the point drawn at all, if only for the ring around it? */
  visible(i: number, layers: Layers, hidden: ReadonlySet<number>): boolean {
    if (hidden.has(this.loaded.codes[i]!)) return false;
    if (this.inLayer(i, layers, hidden)) return true;
    return (layers.selected && this.has(i, MARK.selected)) || (layers.other && this.has(i, MARK.other));
  }
}

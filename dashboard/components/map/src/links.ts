import type { View } from "./camera";
import type { Point } from "./types";

/** What the maps of one link share. `members` are indexes of points, the same on all of them. */
export interface SharedRegion {
  polygon: Point[];
  members: Uint32Array;
}

export interface Linked {
  sharedView(view: View): void;
  sharedHover(index: number): void;
  sharedRegion(region: SharedRegion | null): void;
}

declare global {
  interface Window {
    __alvinLinks?: Map<string, Set<Linked>>;
  }
}

// On the window, not in the module: two copies of the bundle (two versions during an update) still find each other.
const groups = (window.__alvinLinks ??= new Map<string, Set<Linked>>());

/** One map's membership in a group; it changes with the data. */
export class Link {
  private name: string | null = null;

  constructor(private readonly self: Linked) {}

  join(name: string | null): void {
    if (name === this.name) return;
    this.leave();
    this.name = name;
    if (name === null) return;
    const group = groups.get(name) ?? new Set<Linked>();
    groups.set(name, group.add(this.self));
  }

  leave(): void {
    if (this.name === null) return;
    const group = groups.get(this.name);
    group?.delete(this.self);
    if (group?.size === 0) groups.delete(this.name);
    this.name = null;
  }

  get others(): Linked[] {
    return this.name === null ? [] : [...(groups.get(this.name) ?? [])].filter((other) => other !== this.self);
  }
}

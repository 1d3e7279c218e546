// What Python sends (`data`) and what goes back. The Python side is representation_map.py; the two change together.

export interface Entry {
  code: number;
  label: string;
  color: string;
  count: number;
  grey?: boolean;
}

export interface Ramp {
  colors: string[];
  low: string | number;
  high: string | number;
  label: string;
}

export interface Codes {
  url: string;
  revision: string;
  title: string;
  kind: "categories" | "ramp";
  entries: Entry[];
  ramp: Ramp | null;
  missing: number;
}

export interface AnchorsSource {
  url: string;
  revision: string;
  n_shown: number;
  n_linked: number;
  n_total: number;
}

export const LAYER_NAMES = ["pool", "labeled", "anchors", "segments", "selected", "other"] as const;
export type LayerName = (typeof LAYER_NAMES)[number];
export type Layers = Record<LayerName, boolean>;

export type Mode = "pan" | "lasso" | "box";

export interface MapData {
  view: string;
  round: number;
  n: number;
  positions: string;
  revision: string;
  place_note: string;
  codes: Codes;
  marks: { url: string; revision: string };
  anchors: AnchorsSource | null;
  layers: Layers;
  other_label: string;
  texts: string;
  focus: number | null;
  lit: number[];
  mode: Mode;
  link: string | null;
  kept: number | null;
  searching: boolean;
  label: string;
  height: number;
  /** Pixels of the screen's height that the rest of the page takes; without it the height stays as it is. */
  beside?: number | null;
}

/** The parents, weights and picks of the anchors drawn: places are on the map, indexes are of points. */
export interface Anchors {
  xy: [number, number][];
  minority: number[];
  majority: number[];
  weight: number[];
  picks: [number, number][];
}

export interface ExampleText {
  id: string;
  text: string[];
  label: string | null;
  predicted: string | null;
  confidence: number | null;
  split: string | null;
}

export type Point = [number, number];

export interface Region {
  kind: "lasso" | "box";
  polygon: Point[];
  view: string;
  round: number;
  revision: string;
  codes_revision: string;
  hidden: number[];
  layers: Layers;
  count: number;
  stamp: number;
}

/** Bits of a point's mark. */
export const MARK = { labeled: 1, minority: 2, selected: 4, match: 8, since: 16, flagged: 32, other: 64 } as const;

/** What Streamlit hands to a component's default export. */
export interface ComponentArgs {
  name: string;
  key: string;
  data: MapData;
  parentElement: ParentNode & Node;
  setStateValue: (name: string, value: unknown) => void;
  setTriggerValue: (name: string, value: unknown) => void;
}

export type Rgb = [number, number, number];

import type { Anchors, ExampleText, MapData } from "./types";

export interface Loaded {
  xy: Float32Array;
  codes: Uint8Array;
  marks: Uint8Array;
  anchors: Anchors | null;
}

const KEPT_BYTES = 96 * 2 ** 20; // a few rounds of a million points, or hundreds of a sample's
const cache = new Map<string, ArrayBuffer>();

/** Every URL carries a revision, so what was fetched once never changes. */
async function bytes(url: string, signal: AbortSignal): Promise<ArrayBuffer> {
  const known = cache.get(url);
  if (known !== undefined) {
    cache.delete(url); // to the end: last used, last dropped
    cache.set(url, known);
    return known;
  }
  const answer = await fetch(new URL(url, document.baseURI), { signal });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const buffer = await answer.arrayBuffer();
  cache.set(url, buffer);
  let total = [...cache.values()].reduce((sum, held) => sum + held.byteLength, 0);
  for (const [old, held] of cache) {
    if (total <= KEPT_BYTES || old === url) break;
    cache.delete(old);
    total -= held.byteLength;
  }
  return buffer;
}

function sized(buffer: ArrayBuffer, expected: number, what: string): ArrayBuffer {
  if (buffer.byteLength === expected) return buffer;
  throw new Error(`${what}: ${buffer.byteLength} bytes came, ${expected} were expected`);
}

/** Positions, codes, marks and anchors of one state of the map; fails whole, so that no two rounds are ever mixed. */
export async function load(data: MapData, signal: AbortSignal): Promise<Loaded> {
  const { n } = data;
  const [positions, codes, marks, anchors] = await Promise.all([
    bytes(data.positions, signal),
    bytes(data.codes.url, signal),
    bytes(data.marks.url, signal),
    data.anchors ? bytes(data.anchors.url, signal) : null,
  ]);
  return {
    xy: new Float32Array(sized(positions, 8 * n, "positions")),
    codes: new Uint8Array(sized(codes, n, "colours")),
    marks: new Uint8Array(sized(marks, n, "marks")),
    anchors: anchors ? checked(JSON.parse(new TextDecoder().decode(anchors)) as Anchors, n) : null,
  };
}

function checked(anchors: Anchors, n: number): Anchors {
  const m = anchors.xy.length;
  const points = [...anchors.minority, ...anchors.majority, ...anchors.picks.map((pick) => pick[1])];
  const rows = anchors.picks.map((pick) => pick[0]);
  const wrong =
    anchors.minority.length !== m ||
    anchors.majority.length !== m ||
    points.some((i) => !(i >= -1 && i < n)) ||
    rows.some((i) => !(i >= 0 && i < m));
  if (wrong) throw new Error("the anchors do not belong to these points");
  return anchors;
}

/** All that decides what `load` fetches: an equal signature means that nothing has to be fetched again. */
export function signature(data: MapData): string {
  return JSON.stringify([data.n, data.positions, data.codes.url, data.marks.url, data.anchors?.url ?? null]);
}

/** Texts one by one, as they are asked for; the last few hundred are kept. */
export class Texts {
  private readonly known = new Map<string, ExampleText>();

  clear(): void {
    this.known.clear();
  }

  async get(prefix: string, index: number, signal: AbortSignal): Promise<ExampleText> {
    const url = `${prefix}${index}`;
    const known = this.known.get(url);
    if (known !== undefined) return known;
    const answer = await fetch(new URL(url, document.baseURI), { signal });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const example = (await answer.json()) as ExampleText;
    if (this.known.size >= 300) this.known.delete(this.known.keys().next().value!);
    this.known.set(url, example);
    return example;
  }
}

import { el, grouped } from "./dom";
import type { Scene } from "./scene";
import { css, type Theme } from "./theme";
import { type Codes, type Entry, type Layers, MARK, type Rgb } from "./types";

const NARROW_PX = 520;
const NARROW_LINKED_PX = 720; // beside another map there is less room, and one legend is enough to read

/** What the colours and marks mean. Entries of the colours hide and show their points. */
export class Legend {
  readonly element = el("div", "legend", "", { role: "group", "aria-label": "Legend" });
  private readonly head = el("button", "legend-title", "", { type: "button", title: "Fold or unfold the legend" });
  private readonly body = el("div", "legend-body");
  private chosen = false;
  private width = 0;
  private narrow = NARROW_PX;

  constructor(private readonly toggle: (code: number) => void) {
    this.head.addEventListener("click", () => {
      this.chosen = true;
      this.fold(this.body.hidden);
    });
    this.head.setAttribute("aria-expanded", "true");
    this.element.append(this.head, this.body);
  }

  /** In a narrow map it is folded, so as not to cover it, until a person says otherwise. */
  settle(width: number): void {
    this.width = width;
    if (!this.chosen) this.fold(width >= this.narrow);
  }

  private fold(open: boolean): void {
    this.head.setAttribute("aria-expanded", String(open));
    this.body.hidden = !open;
  }

  update(scene: Scene, hidden: ReadonlySet<number>, layers: Layers, colors: Rgb[], theme: Theme): void {
    const { codes } = scene.data;
    this.head.textContent = codes.title;
    const narrow = scene.data.link === null ? NARROW_PX : NARROW_LINKED_PX;
    if (narrow !== this.narrow) {
      this.narrow = narrow;
      this.settle(this.width);
    }
    const ramp = codes.kind === "ramp" && codes.ramp ? [bar(codes)] : [];
    const entries = el("div", "entries");
    entries.append(...codes.entries.map((entry) => this.entry(entry, hidden.has(entry.code), colors)));
    const marks = el("div", "marks");
    marks.append(...markRows(scene, layers, theme));
    const notes = noteRows(scene).map((note) => el("div", "note", note));
    this.body.replaceChildren(...ramp, entries, marks, ...notes);
  }

  private entry(entry: Entry, off: boolean, colors: Rgb[]): HTMLButtonElement {
    const help = `${off ? "Show" : "Hide"} ${entry.label} (${grouped(entry.count)})`;
    const button = el("button", "entry", "", {
      type: "button",
      title: help,
      "aria-pressed": String(!off),
      "data-code": String(entry.code),
    });
    const swatch = el("span", "swatch");
    swatch.style.background = css(colors[entry.code] ?? [0.5, 0.5, 0.5]);
    button.append(swatch, el("span", "entry-label", entry.label, { dir: "auto" }), el("span", "count", grouped(entry.count)));
    button.addEventListener("click", () => this.toggle(entry.code));
    return button;
  }
}

function bar(codes: Codes): HTMLElement {
  const { colors, low, high, label } = codes.ramp!;
  const box = el("div", "ramp", "", { title: label });
  const strip = el("div", "ramp-strip");
  strip.style.background = `linear-gradient(to right, ${colors.filter((c) => /^#[0-9a-f]{3,8}$/i.test(c)).join(", ")})`;
  const ends = el("div", "ramp-ends");
  ends.append(el("span", "", String(low)), el("span", "ramp-label", label), el("span", "", String(high)));
  box.append(strip, ends);
  return box;
}

/** Only what is on this map and switched on; a mark nobody sees is not explained. */
function markRows(scene: Scene, layers: Layers, theme: Theme): HTMLElement[] {
  const { marked, data } = scene;
  const minority = marked.labeled.some((i) => scene.has(i, MARK.minority));
  const rows: [boolean, string, string, string][] = [
    [layers.labeled && marked.labeled.length > 0, "●", minority ? "majority" : "labeled", ""],
    [layers.labeled && minority, "◆", "minority (inferred)", ""],
    [layers.labeled && marked.since.length > 0, "◉", "labeled since this round", ""],
    [layers.anchors && (data.anchors?.n_shown ?? 0) > 0, "×", "anchor, place approximate", ""],
    [layers.selected && marked.selected.length > 0, "◯", "selected", theme.accent],
    [layers.other && marked.other.length > 0, "◌", data.other_label, theme.second],
    [marked.flagged.length > 0, "⚑", "flagged", "#D55E00"],
    [data.searching && marked.match.length > 0, "○", `${grouped(marked.match.length)} match${marked.match.length === 1 ? "" : "es"}`, ""],
  ];
  return rows.filter(([there]) => there).map(([, glyph, label, color]) => {
    const row = el("span", "mark");
    const sign = el("span", "glyph", glyph, { "aria-hidden": "true" });
    if (color) sign.style.color = color;
    row.append(sign, el("span", "", label));
    return row;
  });
}

function noteRows(scene: Scene): string[] {
  const { anchors, kept, searching } = scene.data;
  const notes: string[] = [];
  if (anchors && anchors.n_shown > 0) {
    const [shown, linked, total] = [anchors.n_shown, anchors.n_linked, anchors.n_total].map(grouped);
    notes.push(`${shown} anchors shown of ${linked} that retrieved the selected (${total} in all)`);
  }
  if (kept !== null) notes.push(`map keeps ${Math.round(kept * 100)} % of true neighbours`);
  if (searching && scene.marked.match.length === 0) notes.push("no example matches");
  return notes;
}

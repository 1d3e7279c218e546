import { el } from "./dom";
import { Texts } from "./fetching";
import type { ExampleText } from "./types";

const WAIT_MS = 90; // a pointer that only passes fetches nothing
const MOST = 320;

/** The text of the example under the pointer, fetched when it rests there. All of it is set as text, never as HTML. */
export class Tooltip {
  readonly element = el("div", "tooltip", "", { role: "tooltip", hidden: "" });
  private readonly texts = new Texts();
  private timer = 0;
  private pending: AbortController | null = null;
  private index = -1;

  /** `bounds` are the width and height it has to stay within. */
  show(prefix: string, index: number, x: number, y: number, bounds: [number, number]): void {
    if (index === this.index) return;
    this.hide();
    this.index = index;
    this.timer = window.setTimeout(() => void this.fill(prefix, index, x, y, bounds), WAIT_MS);
  }

  hide(): void {
    window.clearTimeout(this.timer);
    this.pending?.abort();
    this.pending = null;
    this.index = -1;
    this.element.hidden = true;
  }

  /** What was fetched holds a label, or its absence, of that time. */
  forget(): void {
    this.texts.clear();
  }

  /** The example's text for a screen reader. */
  async spoken(prefix: string, index: number): Promise<string> {
    const example = await this.texts.get(prefix, index, new AbortController().signal);
    return [`Example ${example.id}`, ...example.text.map((text) => cut(text, 200)), facts(example)].filter(Boolean).join(". ");
  }

  private async fill(prefix: string, index: number, x: number, y: number, bounds: [number, number]): Promise<void> {
    this.pending = new AbortController();
    const { signal } = this.pending;
    let lines: HTMLElement[];
    try {
      const example = await this.texts.get(prefix, index, signal);
      lines = [
        el("div", "tooltip-id", [`Example ${example.id}`, example.split].filter(Boolean).join(" · ")),
        ...example.text.map((text) => el("div", "tooltip-text", cut(text, MOST), { dir: "auto" })),
        el("div", "tooltip-facts", facts(example)),
      ];
    } catch (error) {
      if (signal.aborted) return;
      lines = [el("div", "tooltip-facts", `The text did not come: ${error instanceof Error ? error.message : "unknown error"}.`)];
    }
    if (signal.aborted || this.index !== index) return;
    this.element.replaceChildren(...lines.filter((line) => line.textContent));
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const left = x + 16 + width > bounds[0] ? x - 16 - width : x + 16;
    const top = y + 14 + height > bounds[1] ? y - 14 - height : y + 14;
    this.element.style.transform = `translate(${Math.max(4, Math.round(left))}px, ${Math.max(4, Math.round(top))}px)`;
  }
}

function facts(example: ExampleText): string {
  const sure = example.confidence === null ? "" : ` ${example.confidence.toFixed(2)}`;
  const parts = [
    example.label ? `label ${example.label}` : "",
    example.predicted ? `predicted ${example.predicted}${sure}` : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Whole characters, so that no emoji is cut in two. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${[...text.slice(0, most + 1)].slice(0, -1).join("").trimEnd()}…`;
}

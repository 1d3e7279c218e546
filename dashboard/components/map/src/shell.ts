import { el } from "./dom";
import { Legend } from "./legend";
import type { Theme } from "./theme";
import { Toolbar, type ToolbarHost } from "./toolbar";
import { Tooltip } from "./tooltip";
import type { MapData } from "./types";

export interface ShellHost extends ToolbarHost {
  toggleCode(code: number): void;
}

/** The elements of one map: toolbar, two canvases, legend, tooltip, notices. They are made once and then changed. */
export class Shell {
  readonly root = el("section", "alvin-map");
  readonly stage = el("div", "stage");
  canvas = el("canvas", "points", "", { "aria-hidden": "true" });
  readonly overlay = el("canvas", "overlay", "", { tabindex: "0", role: "application", "aria-roledescription": "map of examples" });
  readonly toolbar: Toolbar;
  readonly legend: Legend;
  readonly tooltip = new Tooltip();
  private readonly place = el("div", "badge", "", { hidden: "" });
  private readonly loading = el("div", "busy", "", { hidden: "" });
  private readonly message = el("div", "notice", "", { role: "alert", hidden: "" });
  private readonly spoken = el("div", "spoken", "", { "aria-live": "polite" });

  constructor(parent: Node, host: ShellHost) {
    this.toolbar = new Toolbar(host);
    this.legend = new Legend((code) => host.toggleCode(code));
    this.stage.append(this.canvas, this.overlay, this.place, this.legend.element, this.tooltip.element, this.loading, this.message);
    this.root.append(this.toolbar.element, this.stage, this.spoken);
    this.legend.element.hidden = true;
    parent.appendChild(this.root);
  }

  /** Streamlit sets its colours on an element around the mount; they are inherited, so the root has them as well. */
  dress(data: MapData, theme: Theme): void {
    const least = `${Math.max(200, data.height)}px`;
    // On a tall screen the map takes what the rest of the page leaves.
    this.root.style.height = data.beside ? `max(${least}, calc(100vh - ${data.beside}px))` : least;
    this.root.dataset["theme"] = theme.dark ? "dark" : "light";
    this.overlay.setAttribute("aria-label", data.label);
  }

  badge(note: string): void {
    this.place.textContent = note;
    this.place.hidden = note === "";
  }

  busy(on: boolean): void {
    this.loading.hidden = !on;
    this.root.setAttribute("aria-busy", String(on));
  }

  /** Say in place of the map what is wrong; `retry` puts a button below. Null takes it away. */
  notice(text: string | null, retry?: () => void): void {
    this.message.hidden = text === null;
    this.message.replaceChildren();
    if (text === null) return;
    this.message.append(el("div", "notice-text", text));
    if (retry === undefined) return;
    const button = el("button", "retry", "Try again", { type: "button" });
    button.addEventListener("click", retry);
    this.message.append(button);
  }

  say(text: string): void {
    this.spoken.textContent = text;
  }

  remove(): void {
    this.tooltip.hide(); // it may be waiting for a text
    this.root.remove();
  }

  /** A canvas that lost its context gets no second one. */
  renewCanvas(): void {
    const fresh = el("canvas", "points", "", { "aria-hidden": "true" });
    this.canvas.replaceWith(fresh);
    this.canvas = fresh;
  }
}

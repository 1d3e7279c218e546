import { el, icon, ICONS } from "./dom";
import { LAYER_NAMES, type LayerName, type Layers, type MapData, type Mode } from "./types";

export interface ToolbarHost {
  toggle(layer: LayerName): void;
  setMode(mode: Mode): void;
  zoom(factor: number): void;
  fit(): void;
}

const HELP: Record<LayerName, string> = {
  pool: "Examples without a label: small points",
  labeled: "Labeled examples: larger marks, diamonds where they are inferred to be a minority",
  anchors: "Interpolated anchors that retrieved the selected examples; their place is approximate",
  segments: "Lines from each anchor to its two labeled parents",
  selected: "Examples that this round proposes to label",
  other: "Examples that another strategy would have chosen",
};

const MODES: [Mode, string][] = [
  ["pan", "Move the map (drag)"],
  ["lasso", "Draw around examples (l, or Shift and drag)"],
  ["box", "Draw a box around examples (b)"],
];

/** Layers as chips at the left, what the pointer does and the zoom at the right. */
export class Toolbar {
  readonly element = el("div", "toolbar", "", { role: "toolbar", "aria-label": "Map" });
  private readonly chips = new Map<LayerName, HTMLButtonElement>();
  private readonly modes = new Map<Mode, HTMLButtonElement>();

  constructor(host: ToolbarHost) {
    const layers = el("div", "chips", "", { role: "group", "aria-label": "Layers" });
    for (const name of LAYER_NAMES) {
      const chip = el("button", "chip", name, { type: "button", title: HELP[name], "data-layer": name });
      chip.addEventListener("click", () => host.toggle(name));
      this.chips.set(name, chip);
      layers.append(chip);
    }
    const modes = el("div", "buttons", "", { role: "group", "aria-label": "What dragging does" });
    for (const [mode, help] of MODES) {
      const button = this.button(help, icon(...ICONS[mode as "pan" | "lasso" | "box"]), () => host.setMode(mode));
      button.dataset["mode"] = mode;
      this.modes.set(mode, button);
      modes.append(button);
    }
    const zoom = el("div", "buttons", "", { role: "group", "aria-label": "Zoom" });
    zoom.append(
      this.button("Zoom out (−)", icon(...ICONS.minus), () => host.zoom(1 / 1.6), "out"),
      this.button("Zoom in (+)", icon(...ICONS.plus), () => host.zoom(1.6), "in"),
      this.button("Show all (0)", icon(...ICONS.fit), () => host.fit(), "fit"),
    );
    this.element.append(layers, modes, zoom);
  }

  update(data: MapData, layers: Layers, mode: Mode): void {
    for (const [name, chip] of this.chips) {
      if (name === "other") {
        chip.hidden = data.other_label === "";
        chip.textContent = data.other_label;
      }
      if (name === "anchors" || name === "segments") chip.disabled = data.anchors === null;
      chip.setAttribute("aria-pressed", String(layers[name] && !chip.disabled));
    }
    for (const [name, button] of this.modes) button.setAttribute("aria-pressed", String(name === mode));
  }

  private button(help: string, drawing: SVGSVGElement, act: () => void, zoom = ""): HTMLButtonElement {
    const button = el("button", "tool", "", { type: "button", title: help, "aria-label": help });
    if (zoom) button.dataset["zoom"] = zoom;
    button.append(drawing);
    button.addEventListener("click", act);
    return button;
  }
}

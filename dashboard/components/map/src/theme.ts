import type { Codes, Rgb } from "./types";

export interface Theme {
  dark: boolean;
  card: string;
  ink: string;
  muted: string;
  accent: string;
  second: string;
  anchor: string;
  segment: string;
  outline: string;
  grey: string;
}

const LIGHT: Theme = {
  dark: false,
  card: "#FFFFFF",
  ink: "#1B2430",
  muted: "#667080",
  accent: "#0A8070",
  second: "#7B4FD1",
  anchor: "#1B2430",
  segment: "rgba(27, 36, 48, 0.26)",
  outline: "#1B2430",
  grey: "#A9B1BC",
};

const DARK: Theme = {
  dark: true,
  card: "#1A2029",
  ink: "#E6EAF0",
  muted: "#98A2B0",
  accent: "#2CC3AE",
  second: "#B79CFF",
  anchor: "#E6EAF0",
  segment: "rgba(230, 234, 240, 0.28)",
  outline: "#F4F6F9",
  grey: "#667080",
};

/** Light or dark by the luminance of Streamlit's page colour, which it sets on every component. */
export function themeOf(element: Element): Theme {
  const page = rgb(getComputedStyle(element).getPropertyValue("--st-background-color"));
  if (page === null) return LIGHT;
  return 0.2126 * page[0] + 0.7152 * page[1] + 0.0722 * page[2] < 0.4 ? DARK : LIGHT;
}

/** "#0072B2", "#07B" or "rgb(0, 114, 178)" as three numbers from 0 to 1; null for anything else. */
export function rgb(color: string): Rgb | null {
  const text = color.trim();
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text);
  const long = short ?? /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(text);
  if (long) return [1, 2, 3].map((g) => parseInt(long[g]!.repeat(short ? 2 : 1), 16) / 255) as Rgb;
  const call = /^rgba?\(\s*([\d.]+)[,\s]+([\d.]+)[,\s]+([\d.]+)/i.exec(text);
  return call ? ([1, 2, 3].map((g) => Number(call[g]) / 255) as Rgb) : null;
}

export function css([r, g, b]: Rgb, alpha = 1): string {
  return `rgba(${Math.round(r * 255)}, ${Math.round(g * 255)}, ${Math.round(b * 255)}, ${alpha})`;
}

/** A colour for each of the 256 codes; codes nobody explains are grey, as is the missing one. */
export function palette(codes: Codes, theme: Theme): Rgb[] {
  const grey = rgb(theme.grey)!;
  const colors: Rgb[] = Array.from({ length: 256 }, () => grey);
  const stops = codes.kind === "ramp" && codes.ramp ? codes.ramp.colors.map(rgb).filter((c) => c !== null) : [];
  if (stops.length > 0) {
    for (let code = 0; code < 255; code++) colors[code] = between(stops, code / 254);
  }
  for (const entry of codes.entries) {
    if (entry.code >= 0 && entry.code < 256) colors[entry.code] = entry.grey ? grey : (rgb(entry.color) ?? grey);
  }
  colors[codes.missing] = grey;
  return colors;
}

function between(stops: Rgb[], t: number): Rgb {
  const at = t * (stops.length - 1);
  const low = stops[Math.floor(at)]!;
  const high = stops[Math.min(stops.length - 1, Math.floor(at) + 1)]!;
  const f = at - Math.floor(at);
  return [0, 1, 2].map((c) => low[c]! * (1 - f) + high[c]! * f) as Rgb;
}

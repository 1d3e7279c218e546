import type { Theme } from "./theme";
import type { Point } from "./types";

type Pen = CanvasRenderingContext2D;

export function line(pen: Pen, [x0, y0]: Point, [x1, y1]: Point, color: string, width: number, dash: number[] = []): void {
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
  pen.setLineDash([]);
}

export function disc(pen: Pen, x: number, y: number, r: number, fill: string, edge: string, width: number): void {
  pen.beginPath();
  pen.arc(x, y, r, 0, 2 * Math.PI);
  pen.fillStyle = fill;
  pen.fill();
  pen.strokeStyle = edge;
  pen.lineWidth = width;
  pen.stroke();
}

export function ring(pen: Pen, x: number, y: number, r: number, color: string, width: number, dash: number[] = []): void {
  pen.setLineDash(dash);
  pen.beginPath();
  pen.arc(x, y, r, 0, 2 * Math.PI);
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.stroke();
  pen.setLineDash([]);
}

export function diamond(pen: Pen, x: number, y: number, r: number, fill: string, edge: string, width: number): void {
  pen.beginPath();
  pen.moveTo(x, y - r);
  pen.lineTo(x + r, y);
  pen.lineTo(x, y + r);
  pen.lineTo(x - r, y);
  pen.closePath();
  pen.fillStyle = fill;
  pen.fill();
  pen.lineJoin = "miter";
  pen.strokeStyle = edge;
  pen.lineWidth = width;
  pen.stroke();
}

export function cross(pen: Pen, [x, y]: Point, r: number, color: string, halo: string): void {
  for (const [tint, width] of [[halo, 3.6], [color, 1.6]] as const) {
    line(pen, [x - r, y - r], [x + r, y + r], tint, width);
    line(pen, [x - r, y + r], [x + r, y - r], tint, width);
  }
}

/** The example in the card: a soft halo, a ring, and four ticks that point at it. */
export function target(pen: Pen, x: number, y: number, r: number, fill: string, theme: Theme): void {
  pen.globalAlpha = 0.2;
  disc(pen, x, y, r + 7, theme.accent, theme.accent, 0.1);
  pen.globalAlpha = 1;
  disc(pen, x, y, 5, fill, theme.card, 1.2);
  ring(pen, x, y, r, theme.card, 4.6);
  ring(pen, x, y, r, theme.ink, 2.2);
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
    line(pen, [x + dx * (r - 3), y + dy * (r - 3)], [x + dx * (r + 6), y + dy * (r + 6)], theme.ink, 2.2);
  }
}

/** Where the arrow keys stand: four corners of a square. */
export function brackets(pen: Pen, x: number, y: number, r: number, color: string, halo: string): void {
  for (const [tint, width] of [[halo, 4.4], [color, 2]] as const) {
    for (const [sx, sy] of [[1, 1], [1, -1], [-1, 1], [-1, -1]] as const) {
      pen.beginPath();
      pen.moveTo(x + sx * r, y + sy * (r - 6));
      pen.lineTo(x + sx * r, y + sy * r);
      pen.lineTo(x + sx * (r - 6), y + sy * r);
      pen.strokeStyle = tint;
      pen.lineWidth = width;
      pen.stroke();
    }
  }
}

/** A pennant up and to the right of the point. */
export function flag(pen: Pen, x: number, y: number, size: number, ink: string): void {
  const [foot, top] = [y - 3 * size, y - 13 * size];
  line(pen, [x + 4 * size, foot], [x + 4 * size, top], ink, 1.5);
  pen.beginPath();
  pen.moveTo(x + 4 * size, top);
  pen.lineTo(x + 11 * size, top + 2.7 * size);
  pen.lineTo(x + 4 * size, top + 5.4 * size);
  pen.closePath();
  pen.fillStyle = "#D55E00";
  pen.fill();
  pen.strokeStyle = ink;
  pen.lineWidth = 0.8;
  pen.stroke();
}

export function area(pen: Pen, points: Point[], color: string, dash: number[]): void {
  if (points.length < 2) return;
  pen.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y)));
  pen.closePath();
  pen.globalAlpha = 0.09;
  pen.fillStyle = color;
  pen.fill("evenodd");
  pen.globalAlpha = 1;
  pen.setLineDash(dash);
  pen.lineJoin = "round";
  pen.strokeStyle = color;
  pen.lineWidth = 1.7;
  pen.stroke();
  pen.setLineDash([]);
}

import type { Camera } from "./camera";
import type { Mode, Point } from "./types";

export interface PointerHost {
  readonly camera: Camera;
  readonly mode: Mode;
  cameraMoved(): void;
  pointed(px: number, py: number): void;
  left(): void;
  clicked(px: number, py: number): void;
  stroked(stroke: { kind: "lasso" | "box"; points: Point[] } | null): void;
  enclosed(kind: "lasso" | "box", outline: Point[]): void;
}

const CLICK_PX = 4;
const STEP_PX = 2.5; // between two vertices of a lasso

interface Gesture {
  kind: "pan" | "lasso" | "box";
  start: Point;
  last: Point;
  moved: boolean;
  path: Point[];
}

/** Mouse, pen and fingers on the map: pan, pinch, wheel, lasso and box, and the click that is none of these. */
export class Pointer {
  private gesture: Gesture | null = null;
  private readonly fingers = new Map<number, Point>();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly host: PointerHost,
  ) {
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    canvas.addEventListener("pointerleave", () => this.host.left());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => this.gesture && event.preventDefault());
  }

  /** Drop a lasso or box that is being drawn; says whether there was one. */
  abandon(): boolean {
    if (this.gesture === null || this.gesture.kind === "pan") return false;
    this.gesture = null;
    this.host.stroked(null);
    return true;
  }

  private at(event: MouseEvent): Point {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    const point = this.at(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, point);
    if (this.fingers.size > 1) {
      this.abandon();
      this.gesture = null;
      return;
    }
    const drawn = this.host.mode === "box" ? "box" : "lasso";
    const kind = event.shiftKey ? drawn : this.host.mode;
    this.gesture = { kind, start: point, last: point, moved: false, path: [point] };
  }

  private move(event: PointerEvent): void {
    const point = this.at(event);
    if (this.fingers.size > 1) return this.pinch(event.pointerId, point);
    const { gesture } = this;
    if (gesture === null) return this.host.pointed(...point);
    if (!gesture.moved && distance(point, gesture.start) < CLICK_PX) return;
    if (!gesture.moved) this.host.left();
    gesture.moved = true;
    if (gesture.kind === "pan") {
      this.host.camera.panBy(point[0] - gesture.last[0], point[1] - gesture.last[1]);
      this.host.cameraMoved();
    } else if (gesture.kind === "lasso") {
      if (distance(point, gesture.last) < STEP_PX) return;
      gesture.path.push(point);
      this.host.stroked({ kind: "lasso", points: gesture.path });
    } else {
      gesture.path = rectangle(gesture.start, point);
      this.host.stroked({ kind: "box", points: gesture.path });
    }
    gesture.last = point;
  }

  private pinch(id: number, point: Point): void {
    const old = [...this.fingers.values()];
    this.fingers.set(id, point);
    const now = [...this.fingers.values()];
    if (old.length !== 2) return;
    const [a, b] = [middle(old[0]!, old[1]!), middle(now[0]!, now[1]!)];
    const spread = distance(now[0]!, now[1]!) / Math.max(1, distance(old[0]!, old[1]!));
    this.host.camera.panBy(b[0] - a[0], b[1] - a[1]);
    this.host.camera.zoomAt(b[0], b[1], spread);
    this.host.cameraMoved();
  }

  private up(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    const { gesture } = this;
    this.gesture = null;
    if (gesture === null) return;
    if (!gesture.moved) return this.host.clicked(...this.at(event));
    if (gesture.kind === "pan") return;
    this.host.stroked(null);
    if (gesture.path.length >= 3) this.host.enclosed(gesture.kind, gesture.path);
  }

  private cancel(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    this.abandon();
    this.gesture = null;
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const factor = Math.exp(-Math.min(240, Math.max(-240, event.deltaY * lines)) / (event.ctrlKey ? 120 : 420));
    this.host.camera.zoomAt(...this.at(event), factor);
    this.host.cameraMoved();
  }
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function middle(a: Point, b: Point): Point {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

function rectangle([x0, y0]: Point, [x1, y1]: Point): Point[] {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

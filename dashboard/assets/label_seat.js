// Tells the server whether the person of this tab is here, see `dashboard/labelling_seat.py`, and has the page follow
// when others changed what is left of the queue. What the tab holds is given back when it is left.
const AGAIN = 5000; // milliseconds after which a change that the page did not follow is told once more
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"];
const mounts = new WeakMap();

const isAtRest = () =>
  document.querySelector("[data-testid=stApp]")?.getAttribute("data-test-script-state") === "notRunning";

class Seat {
  timer = 0;
  isHere = true;
  told = { stamp: "", at: 0 };
  data = null;
  send = null;

  /** The page was drawn, with this in sight. */
  drawn(data, send) {
    if (this.data?.seat && this.data.seat !== data.seat) this.leave();
    this.data = data;
    this.send = send;
    this.arm(data.every);
  }

  arm(pause) {
    clearTimeout(this.timer);
    if (this.data?.seat) this.timer = setTimeout(() => this.look(), pause);
  }

  async look() {
    const asked = this.data;
    try {
      if (!document.hidden && isAtRest()) {
        const sign = this.isHere ? "here" : "idle";
        this.isHere = false;
        const answer = await fetch(`/api/seats/${asked.seat}/${sign}`, { method: "POST", cache: "no-store" });
        if (answer.ok && this.data === asked) this.follow((await answer.json()).stamp);
      }
    } catch {
      // The server is away: the page itself says so, and here it is asked again.
    }
    if (this.data === asked) this.arm(asked.every);
  }

  follow(stamp) {
    const now = performance.now();
    if (stamp === this.data.stamp || !isAtRest()) return;
    if (stamp === this.told.stamp && now - this.told.at < AGAIN) return;
    this.told = { stamp, at: now };
    this.send("changed", stamp);
  }

  leave() {
    if (this.data?.seat) navigator.sendBeacon(`/api/seats/${this.data.seat}/leave`);
  }

  onSign = () => {
    this.isHere = true;
  };

  onHidden = () => this.leave();

  onShown = () => {
    if (!document.hidden) this.arm(0);
  };
}

export default function ({ data, parentElement, setTriggerValue }) {
  let seat = mounts.get(parentElement);
  if (!seat) {
    seat = new Seat();
    mounts.set(parentElement, seat);
    for (const sign of SIGNS) window.addEventListener(sign, seat.onSign, { capture: true, passive: true });
    window.addEventListener("pagehide", seat.onHidden);
    document.addEventListener("visibilitychange", seat.onShown);
  }
  seat.drawn(data, setTriggerValue);
  return () => {
    seat.leave(); // another page of the dashboard took this one's place
    seat.data = null;
    clearTimeout(seat.timer);
    for (const sign of SIGNS) window.removeEventListener(sign, seat.onSign, { capture: true });
    window.removeEventListener("pagehide", seat.onHidden);
    document.removeEventListener("visibilitychange", seat.onShown);
    mounts.delete(parentElement);
  };
}

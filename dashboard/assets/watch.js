// Asks the server what changed since the page was drawn, see `dashboard/watching.py`.
const CALM = 3000; // milliseconds between two questions
const BUSY = 500; // while a job runs
const AGAIN = 5000; // milliseconds after which a change that the page did not follow is told once more
const mounts = new WeakMap();

const isAtRest = () =>
  document.querySelector("[data-testid=stApp]")?.getAttribute("data-test-script-state") === "notRunning";

class Watch {
  timer = 0;
  told = { stamp: "", at: 0 };
  data = null;
  send = null;

  /** The page was drawn, with this in sight. */
  drawn(data, send) {
    this.data = data;
    this.send = send;
    this.arm(data.busy ? BUSY : CALM);
  }

  arm(pause) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), pause);
  }

  async look() {
    const asked = this.data;
    let pause = asked.busy ? BUSY : CALM;
    try {
      if (!document.hidden && isAtRest()) {
        const answer = await fetch(`/api/watch/${asked.run || "-"}`, { cache: "no-store" });
        if (answer.ok && this.data === asked) {
          const seen = await answer.json();
          this.show(seen);
          this.follow(seen);
          if (seen.line) pause = BUSY;
        } else if (answer.status === 401 || answer.status === 403) {
          this.follow({ stamp: `out-${answer.status}` }); // signed out elsewhere, or without a role: the page says so
        }
      }
    } catch {
      // The server is away: the page itself says so, and here it is asked again.
    }
    if (this.data === asked) this.arm(pause);
  }

  show(seen) {
    for (const chip of document.querySelectorAll(".alvin-worker-away")) chip.hidden = seen.worker;
    for (const line of document.querySelectorAll(`.alvin-job[data-run="${this.data.run}"]`)) {
      if (!seen.line) continue; // the page takes it away when it follows
      const words = line.querySelector("span");
      const bar = line.querySelector(".alvin-bar");
      if (!words || !bar) continue;
      if (words.textContent !== seen.line.words) words.textContent = words.title = seen.line.words;
      bar.classList.toggle("unknown", seen.line.share === null);
      bar.firstElementChild.style.width = seen.line.share === null ? "" : `${Math.round(100 * seen.line.share)}%`;
    }
  }

  follow(seen) {
    const now = performance.now();
    if (seen.stamp === this.data.stamp || !isAtRest()) return;
    if (seen.stamp === this.told.stamp && now - this.told.at < AGAIN) return;
    this.told = { stamp: seen.stamp, at: now };
    this.send("changed", seen.stamp);
  }

  onShown = () => {
    if (!document.hidden) this.arm(0);
  };
}

export default function ({ data, parentElement, setTriggerValue }) {
  let watch = mounts.get(parentElement);
  if (!watch) {
    watch = new Watch();
    mounts.set(parentElement, watch);
    document.addEventListener("visibilitychange", watch.onShown);
  }
  watch.drawn(data, setTriggerValue);
  return () => {
    watch.data = null;
    clearTimeout(watch.timer);
    document.removeEventListener("visibilitychange", watch.onShown);
    mounts.delete(parentElement);
  };
}

// Carries each press of a key or a button to the server together with the example that was on the screen.
//
// A button of Streamlit's knows which example it belonged to when the page was last drawn by the server, not when the
// user pressed it: the second of two quick presses would label an example that nobody has read. So the page's buttons
// are pressed here, and the press names the text it answers. One press is under way at a time. A key that is held down
// repeats thirty times a second, and a worn key bounces: neither is a second answer. Behind a dialog the keys are silent.
const BOUNCE = 120; // milliseconds between two presses of one key; nobody reads an example in less
const PATIENCE = 10000; // milliseconds after which a press without an answer is given up
const LETTERS = { s: "skip", u: "undo", f: "flag" };
const OURS = "label_0,label_1,label_2,label_3,label_4,label_5,label_6,label_7,label_8,label_9,skip,undo,flag".split(",");
const SELECTOR = OURS.map((name) => `.st-key-${name} button`).join(",");
const mounts = new WeakMap();

function nameOf(key) {
  return /^[0-9]$/.test(key) ? `label_${(Number(key) + 9) % 10}` : LETTERS[key];
}

function isTyping(event) {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function stop(event) {
  event.stopImmediatePropagation();
  event.preventDefault();
}

class Presses {
  pressed = new Map();
  busyUntil = 0;
  sent = ""; // the token of the press that is under way
  waiting = null;
  send = null;

  press(name) {
    const shown = document.querySelector(".label-state")?.dataset;
    if (!shown) return;
    if (performance.now() >= this.busyUntil) this.deliver(name, shown);
    // The text is new already while the rest of the page still arrives: the press answers it as soon as that is done.
    else if (shown.token !== this.sent) this.waiting = { name, token: shown.token };
  }

  deliver(name, shown) {
    const button = document.querySelector(`.st-key-${name} button`);
    if (!button || button.disabled) return;
    this.busyUntil = performance.now() + PATIENCE;
    // A flag leaves its example in front, so the next key may well be another word on the same text.
    this.sent = name === "flag" ? "" : shown.token;
    this.send({ name, token: shown.token, undo: shown.undo });
  }

  /** The server has answered and the page is drawn. */
  answered() {
    this.busyUntil = 0;
    const shown = document.querySelector(".label-state")?.dataset;
    const waiting = this.waiting;
    this.waiting = null;
    if (waiting && shown?.token === waiting.token) this.deliver(waiting.name, shown);
  }

  onKey = (event) => {
    // Once the name is entered the keys are for labels: in the field they would become part of the name.
    if (event.key === "Enter" && event.target.closest?.(".st-key-annotator")) setTimeout(() => event.target.blur());
    if (event.repeat && (event.key === "Enter" || event.key === " ") && event.target.closest?.(SELECTOR)) return stop(event);
    const key = event.key.toLowerCase();
    const name = nameOf(key);
    if (!name || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    stop(event);
    const bounced = event.timeStamp - (this.pressed.get(key) ?? -BOUNCE) < BOUNCE;
    if (event.repeat || bounced || document.querySelector('[role="dialog"]')) return;
    this.pressed.set(key, event.timeStamp);
    this.press(name);
  };

  onClick = (event) => {
    const button = event.target.closest?.(SELECTOR);
    if (!button) return;
    stop(event);
    this.press(OURS.find((name) => button.closest(`.st-key-${name}`)));
  };
}

export default function ({ parentElement, setTriggerValue }) {
  let presses = mounts.get(parentElement);
  if (!presses) {
    presses = new Presses();
    mounts.set(parentElement, presses);
    window.addEventListener("keydown", presses.onKey, true);
    window.addEventListener("click", presses.onClick, true);
  }
  presses.send = (press) => setTriggerValue("press", press);
  presses.answered(); // called whenever the server has sent a new stamp
  return () => {
    window.removeEventListener("keydown", presses.onKey, true);
    window.removeEventListener("click", presses.onClick, true);
    mounts.delete(parentElement);
  };
}

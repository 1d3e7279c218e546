// Stands between the keyboard and the buttons' own shortcuts, so that each press answers the example that was read.
//
// A key that is held down repeats thirty times a second, and a worn key bounces: neither is a second answer. Behind an
// open dialog the keys are silent. And the page changes piece by piece: for some hundredths of a second the text is
// new while a button still belongs to the example before. A press of that moment is held back until all buttons are
// those of the text on the screen; the server would ignore it otherwise, and the press would be lost.
const OURS = /^[0-9suf]$/;
const BOUNCE = 120; // milliseconds between two presses of one key; nobody reads an example in less
const PATIENCE = 15000; // milliseconds after which a press that is held back is given up
const FRAMES = 2; // frames after which a new button hears its shortcut

function isTyping(event) {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** The token of the text on the screen, or null where there is none. */
function shown() {
  return document.querySelector(".label-text")?.dataset.token ?? null;
}

/** Whether all buttons are there and belong to this text. */
function complete(token) {
  const owned = `st-key-press_${token}_`;
  const buttons = [...document.querySelectorAll('[class*="st-key-press_"]')];
  return buttons.every((one) => one.className.includes(owned)) && buttons.some((one) => one.className.includes(`${owned}flag`));
}

function repeatLater(event) {
  for (const type of ["keydown", "keyup"]) {
    const copy = new KeyboardEvent(type, { key: event.key, code: event.code, bubbles: true, cancelable: true });
    for (const name of ["keyCode", "which"]) Object.defineProperty(copy, name, { value: event.keyCode });
    document.body.dispatchEvent(copy);
  }
}

export default function () {
  const pressed = new Map();
  let confirmed = null; // the token whose buttons are known to hear
  let held = false;

  const hold = (event) => {
    held = true;
    const until = performance.now() + PATIENCE;
    const read = shown(); // the press answers this text and no other
    let frames = 0;
    const look = () => {
      const token = shown();
      frames = token === read && complete(token) ? frames + 1 : 0;
      if (frames > FRAMES) {
        held = false;
        confirmed = token;
        repeatLater(event);
      } else if (token === read && performance.now() < until) {
        requestAnimationFrame(look);
      } else {
        held = false;
      }
    };
    requestAnimationFrame(look);
  };

  const listen = (event) => {
    const key = event.key.toLowerCase();
    if (!event.isTrusted || event.ctrlKey || event.metaKey || event.altKey || !OURS.test(key) || isTyping(event)) return;
    const bounced = event.timeStamp - (pressed.get(key) ?? -BOUNCE) < BOUNCE;
    const refused = event.repeat || bounced || held || document.querySelector('[role="dialog"]');
    const token = shown();
    const ready = token === null || (token === confirmed && complete(token));
    if (!refused) {
      pressed.set(key, event.timeStamp);
      if (ready) return;
      hold(event);
    }
    event.stopImmediatePropagation();
    event.preventDefault();
  };
  window.addEventListener("keydown", listen, true);
  return () => window.removeEventListener("keydown", listen, true);
}

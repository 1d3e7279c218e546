import "./map.css";
import type { ComponentArgs } from "./types";
import { MapView } from "./view";

// One view for each mount: Streamlit calls again with the same element when data change, and the view goes on.
const views = new WeakMap<Node, MapView>();

export default function mount(args: ComponentArgs): () => void {
  const { parentElement } = args;
  let view = views.get(parentElement);
  if (view === undefined) {
    view = new MapView(parentElement, nameOf(args));
    views.set(parentElement, view);
  }
  view.update(args);
  // Streamlit also runs the clean-up of a call that a newer one overtook while the bundle was loading: only the
  // clean-up of the last call means that the map is gone.
  const mine = view;
  const call = ++mine.calls;
  return () => {
    if (mine.calls !== call) return;
    mine.destroy();
    views.delete(parentElement);
  };
}

/** The element's key in Python, which Streamlit writes as a class around the mount; its own key is made of chance. */
function nameOf(args: ComponentArgs): string {
  const { parentElement } = args;
  const host = parentElement instanceof ShadowRoot ? parentElement.host : (parentElement as Element);
  const around = host.closest('[class*="st-key-"]');
  const named = [...(around?.classList ?? [])].find((name) => name.startsWith("st-key-"));
  return named ? named.slice("st-key-".length) : args.key;
}

/* Draws the figures, and fits them to the screen and to paper. */
(() => {
  const PAPER = 702; // CSS pixels of A4 between its margins
  const options = { responsive: true, displayModeBar: false };
  const plots = [];

  const draw = (place, content) => {
    Plotly.newPlot(place, content.data, content.layout, options);
    plots.push(place);
  };
  for (const script of document.querySelectorAll("script.plot-data")) {
    const place = document.getElementById(script.dataset.plot);
    const content = JSON.parse(script.textContent);
    const closed = place.closest("details:not([open])");
    if (!closed) draw(place, content);
    // What is hidden has no width to be drawn in.
    else closed.addEventListener("toggle", () => { if (!plots.includes(place)) draw(place, content); });
  }

  const fit = (width) => {
    for (const place of plots) Plotly.relayout(place, width ? { width: width(place) } : { width: null, autosize: true });
  };
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) { one.open = true; one.dataset.printed = ""; }
    for (const script of document.querySelectorAll("script.plot-data")) {
      const place = document.getElementById(script.dataset.plot);
      if (!plots.includes(place)) draw(place, JSON.parse(script.textContent));
    }
    fit((place) => (place.closest(".grid") ? (PAPER - 20) / 2 : PAPER));
  });
  window.addEventListener("afterprint", () => {
    for (const one of document.querySelectorAll("details[data-printed]")) { one.open = false; delete one.dataset.printed; }
    fit(null);
  });
})();

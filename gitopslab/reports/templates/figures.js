"use strict";
(() => {
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const clear = "rgba(0,0,0,0)";

  // A figure's own template keeps its say on traces; what surrounds them follows the page.
  const themed = (layout) => {
    const ink = colour("--text"), muted = colour("--muted"), rule = colour("--rule");
    const template = layout.template || {};
    const defaults = template.layout || {};
    const axis = (own) => ({ ...own, gridcolor: rule, linecolor: rule, zerolinecolor: rule, tickcolor: rule, automargin: true,
      ticklabelstandoff: 6, tickfont: { color: muted }, title: { standoff: 10, font: { color: muted, size: 12 } } });
    return {
      ...layout,
      autosize: true, width: undefined,
      paper_bgcolor: clear, plot_bgcolor: clear,
      font: { ...layout.font, color: ink, family: getComputedStyle(document.body).fontFamily },
      template: { ...template, layout: { ...defaults, margin: { l: 8, r: 16, t: 48, b: 40, ...defaults.margin },
        title: { ...defaults.title, x: 0, xanchor: "left", font: { size: 15 } },
        legend: { bgcolor: clear, ...defaults.legend },
        hoverlabel: { align: "left", bgcolor: colour("--panel"), bordercolor: rule, font: { color: ink } },
        xaxis: axis(defaults.xaxis), yaxis: axis(defaults.yaxis) } },
    };
  };

  // Dragging zooms and a double click resets without it.
  const options = { responsive: true, displayModeBar: false };
  const places = [...document.querySelectorAll(".figure")];
  const drawn = new Map();
  const isFolded = (place) => place.closest("details:not([open])") !== null;
  const draw = (place) => {
    if (!drawn.has(place)) drawn.set(place, JSON.parse(place.nextElementSibling.textContent));
    const { data, layout } = drawn.get(place);
    Plotly.react(place, data, themed(layout), options).catch((error) => { place.textContent = String(error); });
  };
  const drawMissing = (wanted) => wanted.filter((place) => !drawn.has(place) && !isFolded(place)).forEach(draw);

  // What is on the screen is drawn at once; the rest a screen before it is scrolled to, or when its fold opens.
  if ("IntersectionObserver" in window) {
    drawMissing(places.filter((place) => place.getBoundingClientRect().top < innerHeight));
    const observer = new IntersectionObserver(
      (entries) => drawMissing(entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target)),
      { rootMargin: "100% 0px" });
    places.forEach((place) => observer.observe(place));
  } else {
    places.forEach(draw);
  }

  const paper = matchMedia("print");
  const recolour = () => {
    [...drawn.keys()].forEach(draw);
    if (paper.matches) drawMissing(places);
  };
  addEventListener("beforeprint", () => drawMissing(places));
  paper.addEventListener("change", recolour);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
})();

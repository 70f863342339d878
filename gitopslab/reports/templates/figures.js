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
      autosize: true, width: undefined, height: layout.height || 380,
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
  const figures = [...document.querySelectorAll(".figure-data")].map((data) => ({
    place: data.previousElementSibling, ...JSON.parse(data.textContent),
  }));
  const draw = () => figures.forEach(({ place, data, layout }) => {
    Plotly.react(place, data, themed(layout || {}), options).catch((error) => { place.textContent = String(error); });
  });
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  matchMedia("print").addEventListener("change", draw);
})();

// Draws the page's charts, in the colours of its style sheet, and again when these change.
"use strict";

const CONFIG = { responsive: true, displayModeBar: false };

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [ink, muted, line, card] = ["--ink", "--muted", "--line", "--card"].map(colour);
  const axis = {
    gridcolor: line,
    zerolinecolor: line,
    linecolor: line,
    automargin: true,
    ticks: "outside",
    ticklen: 5,
    tickcolor: "rgba(0,0,0,0)",
    title: { standoff: 10 },
  };
  return {
    layout: {
      font: { family: "system-ui, sans-serif", size: 13, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 48, r: 12, t: 12, b: 44 },
      autosize: true,
      hovermode: "x unified",
      hoverlabel: { bgcolor: card, bordercolor: line, font: { color: ink } },
      xaxis: axis,
      yaxis: axis,
      shapedefaults: { line: { color: muted, width: 1.5 } },
      annotationdefaults: { font: { color: ink } },
    },
    data: { bar: [{ error_x: { color: ink } }] },
  };
}

const pictures = JSON.parse(document.getElementById("pictures").textContent);
const charts = [...document.querySelectorAll(".chart")];

for (const chart of charts) {
  const figure = JSON.parse(chart.nextElementSibling.textContent);
  for (const image of figure.layout.images ?? []) {
    image.source = pictures[image.source];
  }
  Plotly.newPlot(chart, figure.data, { ...figure.layout, template: theme() }, CONFIG);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts) {
    Plotly.relayout(chart, { template: theme() });
  }
});

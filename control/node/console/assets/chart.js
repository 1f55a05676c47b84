"use strict";

// svg makes an SVG element.
function svg(name, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

// colours of lines, in their order.
const colours = ["var(--sip)", "var(--speech)", "var(--http)", "var(--dialogue)", "var(--bad)"];

// spark draws a row of numbers without axes.
function spark(values, colour) {
  const width = 160, height = 34, top = Math.max(...values, 1e-9);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  if (values.length < 2) return chart;
  const at = (v, i) => `${(i * width / (values.length - 1)).toFixed(1)},${(height - 2 - v / top * (height - 6)).toFixed(1)}`;
  const points = values.map(at).join(" ");
  chart.append(
    svg("polygon", { points: `0,${height} ${points} ${width},${height}`, fill: colour, "fill-opacity": ".12" }),
    svg("polyline", { points, fill: "none", stroke: colour, "stroke-width": "1.5", "vector-effect": "non-scaling-stroke" }));
  return chart;
}

// nice is the least round number at or above v.
function nice(v) {
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].map(n => n * power).find(n => n >= v * 0.999);
}

// plot draws lines over time: lines is [{name, points: [[ms, value]]}].
function plot(title, unit, lines, range) {
  const width = 360, height = 170, left = 40, right = 10, top = 26, bottom = 24;
  const all = lines.flatMap(l => l.points);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  chart.append(svg("text", { x: 0, y: 13, "font-weight": "620" }, title), svg("text", { x: width - right, y: 13, class: "axis", "text-anchor": "end" }, unit));
  const end = Math.max(...all.map(p => p[0]), 1000);
  const low = range ? range[0] : 0, high = range ? range[1] : nice(Math.max(...all.map(p => p[1]), range ? 0 : 1));
  const x = ms => left + ms / end * (width - left - right);
  const y = v => height - bottom - (Math.min(v, high) - low) / (high - low) * (height - top - bottom);
  for (let i = 0; i <= 2; i++) {
    const v = low + (high - low) * i / 2;
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(v), y2: y(v), class: "grid" }),
      svg("text", { x: left - 6, y: y(v) + 4, class: "axis", "text-anchor": "end" }, String(+v.toFixed(2))));
  }
  for (let i = 0; i <= 3; i++) {
    const anchor = i === 3 ? "end" : i === 0 ? "start" : "middle";
    chart.append(svg("text", { x: x(end * i / 3), y: height - 6, class: "axis", "text-anchor": anchor }, seconds(end * i / 3)));
  }
  lines.forEach((line, i) => {
    if (line.points.length === 1) {
      chart.append(svg("circle", { cx: x(line.points[0][0]), cy: y(line.points[0][1]), r: 2.5, fill: colours[i % colours.length] }));
      return;
    }
    chart.append(svg("polyline", {
      points: line.points.map(p => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" "),
      fill: "none", stroke: colours[i % colours.length], "stroke-width": "1.6", "stroke-linejoin": "round",
    }));
  });
  return chart;
}

// seconds writes a span of milliseconds.
function seconds(ms) {
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 60000) return `${Math.round(ms / 1000)} s`;
  const s = Math.round(ms / 1000), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return h ? `${h} h ${String(m).padStart(2, "0")} min` : `${m} min ${String(s % 60).padStart(2, "0")} s`;
}

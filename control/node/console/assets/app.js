"use strict";

// el makes an HTML element; text is never read as markup.
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
  e.append(...children.filter(c => c !== undefined && c !== null));
  return e;
}

const main = document.getElementById("main"), state = document.getElementById("state"), node = document.getElementById("node");

async function get(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(answer.status === 404 ? "This call is not remembered any more." : `The platform answers ${answer.status}.`);
  return answer.json();
}

function figure(label, value, unit, chart, kind) {
  return el("div", { class: "figure" }, el("div", { class: "label" }, label),
    el("div", { class: "value" + (kind ? " " + kind : "") }, value, unit ? el("small", {}, unit) : null), chart);
}

const count = n => n >= 10000 ? `${(n / 1000).toFixed(n >= 100000 ? 0 : 1)}k` : String(Math.round(n));
const percent = share => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
const clock = iso => new Date(iso).toLocaleTimeString([], { hour12: false });

function lasted(call) {
  const end = call.ended ? new Date(call.ended) : new Date();
  return seconds(Math.max(0, end - new Date(call.begun)));
}

// Causes by which nothing went wrong.
const fine = ["hang-up", "completed", "disconnected", "transferred", "cancelled"];

function tag(call) {
  if (!call.ended) return el("span", { class: "tag up" }, call.answered ? "up" : "being answered");
  return el("span", { class: "tag" + (fine.includes(call.cause) ? "" : " bad") }, call.cause);
}

function overview(o, calls) {
  const h = o.history, series = key => h.map(p => p[key]);
  const dropped = Object.values(o.dropped || {}).reduce((a, b) => a + b, 0);
  return [
    el("div", { class: "figures" },
      figure("Calls up", count(o.calls), "", spark(series("calls"), "var(--good)")),
      figure("Media legs", count(o.legs), "", spark(series("legs"), "var(--sip)")),
      figure("Received", count(o.received), "packets/s", spark(series("received"), "var(--http)")),
      figure("Sent", count(o.sent), "packets/s", spark(series("sent"), "var(--speech)")),
      figure("Loss", percent(o.loss), "", spark(series("loss"), "var(--bad)")),
    ),
    el("section", { class: "card" }, el("h2", {}, "Media plane"),
      el("dl", {}, ...[["Mode", o.plane.mode], ["Why", o.plane.reason],
        ["Packets refused", dropped ? Object.entries(o.dropped).map(([k, v]) => `${k} ${v}`).join(", ") : "none"],
        ["Listens for SIP on", o.sip.join(", ")]].map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))))),
    el("section", { class: "card" }, el("h2", {}, "Calls"), callTable(calls)),
  ];
}

function callTable(calls) {
  if (!calls.length) return el("p", { class: "quiet" }, "No call has come since the platform was started.");
  const body = el("tbody");
  for (const c of calls) {
    const row = el("tr", { class: "link", tabindex: "0" },
      el("td", {}, tag(c)), el("td", { class: "num" }, clock(c.begun)), el("td", { class: "num" }, lasted(c)),
      el("td", { class: "wide", title: c.from }, c.from), el("td", { class: "wide", title: c.to }, c.to),
      el("td", { class: "wide", title: c.application || "" }, c.application || ""),
      el("td", {}, el("a", { href: `#/call/${encodeURIComponent(c.id)}`, class: "mono" }, c.id.slice(-8))));
    row.addEventListener("click", () => { location.hash = `#/call/${encodeURIComponent(c.id)}`; });
    body.append(row);
  }
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ...["State", "Begun", "Lasted", "From", "To", "Application", "Call"].map((t, i) => el("th", i === 1 || i === 2 ? { class: "num" } : {}, t)))), body));
}

function facts(c) {
  const rows = [["From", c.from], ["To", c.to], ["Application", c.application], ["Begun", new Date(c.begun).toLocaleString()],
    ["Lasted", lasted(c)], ["Ended", c.ended ? `${c.cause}, by the ${c.by}` + (c.sip_status ? ` (${c.sip_status})` : "") : ""],
    ["Error", c.error], ["Call", c.id], ["SIP Call-ID", c.sip_call_id], ["Session", c.session]].filter(r => r[1]);
  return el("dl", {}, ...rows.map(([k, v]) => el("div", {}, el("dt", {}, k),
    el("dd", { class: (k === "Error" ? "bad " : "") + (/Call|Session/.test(k) ? "mono" : "") }, v))));
}

function quality(samples) {
  if (!samples.length) return el("p", { class: "quiet" }, "No audio was measured: the call was too short, or has none.");
  const legs = [...new Set(samples.map(s => s.leg))];
  const lines = value => legs.map(leg => ({ name: leg, points: samples.filter(s => s.leg === leg && value(s) !== undefined).map(s => [s.offset_ms, value(s)]) }));
  return el("div", {},
    el("p", { class: "legend" }, ...legs.map((leg, i) => { const key = el("i"); key.style.background = colours[i % colours.length]; return el("span", {}, key, leg); })),
    el("div", { class: "plots" },
      plot("Loss", "% of what was to come", lines(s => 100 * s.loss)),
      plot("Jitter", "ms", lines(s => s.jitter_ms)),
      plot("Opinion to be expected", "MOS", lines(s => s.mos || undefined), [1, 4.5]),
      plot("Received", "packets/s", lines(s => s.received)),
      plot("Sent", "packets/s", lines(s => s.sent))));
}

function details(c) {
  return [
    el("p", { class: "quiet" }, el("a", { href: "#/" }, "All calls")),
    el("h1", {}, "Call ", el("span", { class: "mono" }, c.id.slice(-8)), " ", tag(c)),
    el("section", { class: "card" }, facts(c)),
    el("section", { class: "card" }, el("h2", {}, "What happened"),
      el("p", { class: "legend" }, ...[["SIP", "sip"], ["HTTP", "http"], ["MRCP", "speech"], ["dialogue", "dialogue"]].map(([name, colour]) => {
        const key = el("i"); key.style.background = `var(--${colour})`; return el("span", {}, key, name);
      }), c.missed ? el("span", {}, `${c.missed} events in between were too many to keep`) : null),
      el("div", { class: "scroll" }, ladder(c.events))),
    el("section", { class: "card" }, el("h2", {}, "Quality of the audio"), quality(c.samples)),
  ];
}

let shown = "";

// refresh shows what the address asks for. What has not changed is not drawn anew.
async function refresh() {
  const call = location.hash.match(/^#\/call\/(.+)$/);
  try {
    const o = await get("api/overview");
    node.textContent = `${o.host} · up for ${seconds(new Date(o.at) - new Date(o.started))}`;
    const data = call ? await get(`api/calls/${call[1]}`) : await get("api/calls");
    state.textContent = "live";
    state.className = "good";
    const now = JSON.stringify([location.hash, call && data.ended ? data : [data, o.at]]);
    if (now === shown) return;
    const keep = location.hash === (shown && JSON.parse(shown)[0]) ? window.scrollY : 0;
    shown = now;
    main.replaceChildren(...(call ? details(data) : overview(o, data)));
    window.scrollTo(0, keep);
  } catch (error) {
    state.textContent = error instanceof TypeError ? "The platform does not answer." : error.message;
    state.className = "bad";
    if (!shown || call) main.replaceChildren(el("p", { class: "quiet" }, state.textContent, " ", el("a", { href: "#/" }, "All calls")));
    shown = "";
  }
}

window.addEventListener("hashchange", refresh);
setInterval(() => { if (!document.hidden) refresh(); }, 2000);
refresh();

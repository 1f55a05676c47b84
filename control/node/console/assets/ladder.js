"use strict";

// Which lanes a message goes between, by the name of the step.
const wires = {
  sip_received: { kind: "sip", from: "caller", to: "platform" },
  sip_sent: { kind: "sip", from: "platform", to: "caller" },
  fetched: { kind: "http", from: "platform", to: "web", both: true },
  mrcp_received: { kind: "speech", from: "speech", to: "platform" },
  mrcp_sent: { kind: "speech", from: "platform", to: "speech" },
};

// What steps of the call and its dialogue are called for people: the label, and whether
// it is the dialogue's.
const notes = {
  incall_begin: ["call is up", false], incall_end: ["call ends", false], route_result: ["is for", false],
  appl_begin: ["application", true], appl_end: ["application ends", true], subdialog_start: ["subdialog", true],
  goto: ["goes to", true], prompt_play: ["says", true], prompt_stop: ["not heard", true], input_start: ["listens for", true],
  input_end: ["understood by", true], asr_trace: ["hears", true], dtmf: ["keys", true], dtmf_input: ["keys so far", true],
  filling: ["filled", true], event: ["event", true], log: ["log", true],
  variable: ["now", true],
};

// Steps that say more than a diagram has room for.
const hidden = new Set(("CMCall CMCallLeg incall_initiated call_reference root_appl wf_lookup fetch_end compile_done " +
  "subdialog_return form_enter form_exit form_select filled_enter filled_exit event_handler_enter event_handler_exit " +
  "prompt prompt_start prompt_type prompt_end asr_open asr_start asr_end asr_close").split(" "));

const titles = { caller: "Caller", platform: "MCP", web: "Web server", speech: "Speech server" };

function clip(text, width) {
  const most = Math.max(6, Math.floor(width / 6.6));
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

// brief leaves out of a fetch what every other one has too: "GET http://h/a.vxml: 200 in
// 3 ms, 812 bytes" becomes "GET a.vxml 200, 3 ms".
function brief(text) {
  const parts = text.match(/^(\S+) (\S+): (.*)$/);
  if (!parts) return text;
  const path = parts[2].replace(/^[a-z]+:\/\/[^/]*/, ""), name = path.length > 14 ? path.slice(path.lastIndexOf("/") + 1) : path;
  return `${parts[1]} ${name} ${parts[3].replace(" in", ",").replace(/, \d+ bytes/, "").replace("from the ", "")}`;
}

// heard turns "match|0.90|sales" into "sales (match, 0.90)".
function heard(text) {
  const parts = text.match(/^(\w+)\|([\d.]+)\|(.*)$/);
  if (!parts) return text;
  return parts[3] ? `${parts[3]} (${parts[1]}, ${parts[2]})` : parts[1];
}

// rowOf is how an event is drawn; undefined: it is not.
function rowOf(event) {
  const text = event.name === "asr_trace" ? heard(event.text || "") : event.text || "";
  const wire = wires[event.name];
  if (wire) {
    const status = (event.name === "fetched" ? text.match(/: (\d{3}|failed)/) : text.match(/^(?:\d+ )?(\d{3}) /) || text.match(/does not answer/)) || [];
    const short = event.name === "fetched" ? brief(text) : text;
    return { at: event.offset_ms, ...wire, text, short, failed: /^[3-6]|failed/.test(status[1] || "") && !/^3\d\d|^0/.test(status[1]) || /does not answer/.test(text) };
  }
  if (hidden.has(event.name)) return undefined;
  const [label, dialogue] = notes[event.name] || [event.name, true];
  return {
    at: event.offset_ms, note: true, dialogue, text: text && label !== "call is up" ? `${label}: ${text}` : label,
    failed: event.name === "event" && text.startsWith("error"),
  };
}

// ladder draws what happened in a call, from top to bottom.
function ladder(events) {
  const rows = events.map(rowOf).filter(Boolean);
  const used = new Set(["caller", "platform", ...rows.flatMap(r => r.note ? [] : [r.from, r.to])]);
  const lanes = ["caller", "platform", "web", "speech"].filter(l => used.has(l));
  const width = 1080, left = 92, step = 25, longGap = 1500;
  const room = (width - left - 40) / lanes.length;
  const at = Object.fromEntries(lanes.map((l, i) => [l, left + room * (i + 0.5)]));
  const body = svg("g");
  let y = 50, last = 0;
  for (const row of rows) {
    if (row.at - last > longGap) {
      body.append(svg("line", { x1: left, x2: width - 20, y1: y - 4, y2: y - 4, class: "gapline" }),
        svg("text", { x: left + 6, y: y + 10, class: "gap" }, `${seconds(row.at - last)} later`));
      y += step;
    }
    last = row.at;
    body.append(svg("text", { x: left - 22, y: y + 4, class: "time" }, (row.at / 1000).toFixed(3)));
    body.append(row.note ? note(row, at.platform, y, room) : message(row, at, y));
    y += step;
  }
  const height = y + 6;
  const drawing = svg("svg", { class: "ladder", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "what happened in the call, in the order of time" });
  drawing.append(svg("text", { x: left - 22, y: 20, class: "time" }, "s"));
  for (const lane of lanes) {
    drawing.append(svg("line", { x1: at[lane], x2: at[lane], y1: 30, y2: height, class: "life" }), svg("text", { x: at[lane], y: 20, class: "head" }, titles[lane]));
  }
  drawing.append(body);
  return drawing;
}

// note is something that happened within the platform.
function note(row, x, y, room) {
  const text = clip(row.text, room * 1.5), width = text.length * 6.5 + 20;
  return svg("g", { class: "note" + (row.dialogue ? "" : " plain") + (row.failed ? " failed" : "") },
    svg("title", {}, row.text),
    svg("rect", { x: x - width / 2, y: y - 9, width, height: 19, rx: 9 }),
    svg("text", { x, y: y + 5 }, text));
}

// message is an arrow between two lanes, with its text over it.
function message(row, at, y) {
  const from = at[row.from], to = at[row.to], right = to > from;
  const tip = right ? to - 7 : to + 7, middle = (from + to) / 2;
  const head = (x, towards) => `${x},${y + 6} ${x - towards * 8},${y + 2} ${x - towards * 8},${y + 10}`;
  const text = clip(row.short || row.text, Math.abs(to - from) - 16);
  const halo = svg("text", { x: middle, y: y + 1, stroke: "var(--card)", "stroke-width": 4, "stroke-linejoin": "round", "aria-hidden": "true" }, text);
  const g = svg("g", { class: `message ${row.kind}` + (row.failed ? " failed" : "") },
    svg("title", {}, row.text), halo,
    svg("path", { d: `M${from} ${y + 6}H${tip}` }),
    svg("polygon", { points: head(to, right ? 1 : -1) }));
  if (row.both) g.append(svg("polygon", { points: head(from, right ? -1 : 1) }));
  g.append(svg("text", { x: middle, y: y + 1 }, text));
  return g;
}

"use strict";
// Shows one call at a time beside the report: both sides on one axis, what was found, the words, the audio. Text of
// others becomes text nodes and attributes, never markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const read = (id) => { const of = byId(id); return of && JSON.parse(of.textContent); };
  const shared = read("shared");
  const run = byId("run");
  const view = byId("call");
  const sections = document.querySelector("nav");
  const title = document.title;
  const KEYS = "Keys: n next, p previous, space play, Escape report";

  // An element with attributes and children; strings become text.
  const make = (space) => (name, attributes = {}, ...children) => {
    const of = space ? document.createElementNS(space, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") of.addEventListener(key, value);
      else if (value !== null && value !== false) of.setAttribute(key, value === true ? "" : value);
    }
    of.append(...children.filter((child) => child !== null && child !== undefined));
    return of;
  };
  const html = make(null);
  const svg = make("http://www.w3.org/2000/svg");

  const clock = (ms) => {
    const tenths = Math.max(0, Math.round(ms / 100));
    const rest = tenths % 600;
    return `${Math.floor(tenths / 600)}:${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
  };
  const grouped = (n) => Math.round(n).toLocaleString("en-US").replace("-", "\u2212");
  const term = (name) => html("a", { class: "term", href: `#def-${name}` }, name);

  let shown = null; // The call that is open, with its player.
  let shortcuts = true;

  /* The player: one audio element, whose first sample lies at `from` on the call's axis. */
  const player = (call) => {
    if (!call.audio) return null;
    const sound = new Audio();
    sound.id = "sound";
    sound.preload = "auto";
    let url = null;
    let bytes = null;
    if (call.audio.inside) {
      const text = atob(byId(`audio-${call.id}`).textContent);
      bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
      url = URL.createObjectURL(new Blob([bytes], { type: "audio/ogg" }));
      sound.src = url;
    } else {
      sound.src = call.audio.file;
    }
    return {
      sound, bytes,
      now: () => call.audio.from + sound.currentTime * 1000,
      seek: (ms) => { sound.currentTime = Math.max(0, (ms - call.audio.from) / 1000); },
      close: () => { sound.pause(); sound.removeAttribute("src"); if (url) URL.revokeObjectURL(url); },
    };
  };

  /* Both sides on one axis. */
  const ROWS = { axis: 16, pins: 34, caller: 46, agent: 98, stages: 158 };
  const LANE = 46;
  const timeline = (call, play) => {
    const length = Math.max(call.len, call.audio ? call.audio.from + call.audio.ms : 0, 1);
    const room = Math.max(200, Math.min(window.innerWidth, 992) - 112);
    const fit = room / length;
    // Gaps of a second can be told apart from here on.
    let scale = Math.max(fit, Math.min(0.09, 30000 / length));
    const tools = 198;
    const states = call.tools.length ? 220 : 198;
    const spans = call.states.length ? states + 26 : states + 4;
    const height = call.spans.length ? spans + 54 : call.states.length ? states + 22 : states;
    const labels = html("div", { class: "names", "aria-hidden": "true" });
    const names = [["Caller", ROWS.caller + 24], ["Agent", ROWS.agent + 24], ["Stages", ROWS.stages + 10]];
    if (call.tools.length) names.push(["Tools", tools + 8]);
    if (call.states.length) names.push(["State", states + 8]);
    if (call.spans.length) names.push(["Turn", spans + 8], ["LLM", spans + 25], ["TTS", spans + 42]);
    const column = svg("svg", { width: 66, height });
    for (const [name, y] of names) column.append(svg("text", { x: 8, y: y + 4 }, name));
    labels.append(column);
    const holder = html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Timeline of the call" });
    const head = svg("line", { class: "playhead", y1: 0, y2: height });
    let peaks = null;
    let drawn = null;

    const draw = () => {
      const x = (ms) => Math.round(ms * scale * 10) / 10;
      const width = Math.ceil(length * scale) + 1;
      const says = `The caller speaks ${call.said.length} times, the agent ${call.heard.length} times. ` +
        call.turns.map((turn) => `${shared.steps[turn.step][0]}: ${turn.text}.`).join(" ");
      const picture = svg("svg", { id: "lanes", role: "img", "aria-labelledby": "lanes-title lanes-says", width, height },
        svg("title", { id: "lanes-title" }, `Timeline of call ${call.id}`), svg("desc", { id: "lanes-says" }, says));
      const steps = [100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000, 300000];
      const step = steps.find((s) => s * scale >= 60) || Math.max(600000, Math.ceil(60 / scale));
      for (let at = 0; at <= length; at += step) {
        picture.append(svg("line", { class: "tick", x1: x(at), x2: x(at), y1: ROWS.axis + 4, y2: height }),
          svg("text", { x: x(at) + 3, y: ROWS.axis - 3 }, `${at / 1000} s`));
      }
      const rect = (of, from, until, y, h, label) => {
        const box = svg("rect", { class: of, x: x(from), y, width: Math.max(1, x(until) - x(from)), height: h });
        if (label) box.append(svg("title", {}, label));
        picture.append(box);
        return x(until) - x(from);
      };
      rect("lane", 0, length, ROWS.caller, LANE);
      rect("lane", 0, length, ROWS.agent, LANE);
      for (const [from, until, step] of call.said) rect("said", from, until, ROWS.caller, LANE, shared.steps[step][1]);
      for (const [from, until] of call.heard) rect("heard", from, until, ROWS.agent, LANE);
      if (peaks) picture.append(wave(peaks[0], "caller", ROWS.caller, x), wave(peaks[1], "agent", ROWS.agent, x));
      for (const turn of call.turns) {
        if (turn.parts.length === 0) {
          rect(turn.missing ? "missing" : "wait", turn.from, turn.until, ROWS.stages, 18, turn.text);
        }
        let from = turn.from;
        for (const [index, ms] of turn.parts) {
          const [name, kind] = shared.parts[index];
          const until = from + ms;
          if (ms > 0) {
            const wide = rect(kind, from, until, ROWS.stages, 18, `${name} ${grouped(ms)} ms`);
            if (wide > name.length * 6.2 + 6 && kind !== "rest") {
              picture.append(svg("text", { class: "inside", x: x(from) + 4, y: ROWS.stages + 13 }, name));
            }
          }
          from = until;
        }
        picture.append(svg("text", { class: "gap", x: x(turn.from), y: ROWS.stages + 31 }, `${grouped(turn.until - turn.from)} ms`));
      }
      for (const [from, until, name] of call.tools) {
        const wide = rect("tool", from, until, tools, 14, `tool ${name}`);
        if (wide > name.length * 6.2 + 6) picture.append(svg("text", { class: "inside", x: x(from) + 4, y: tools + 11 }, name));
      }
      for (const [from, until, name] of call.states) {
        const wide = rect("state", from, until, states, 14, `state ${name}`);
        if (wide > name.length * 6.2 + 8) picture.append(svg("text", { x: x(from) + 4, y: states + 11 }, name));
      }
      for (const [from, until, row, kind, name] of call.spans) {
        const wide = rect(kind, from, until, spans + row * 17, 14, name);
        if (wide > name.length * 6.2 + 6 && kind !== "rest") {
          picture.append(svg("text", { class: "inside", x: x(from) + 4, y: spans + row * 17 + 11 }, name));
        }
      }
      call.pins.forEach(([at, problem, sentence], i) => {
        picture.append(svg("g", { class: problem ? "pin problem" : "pin" }, svg("title", {}, sentence),
          svg("line", { x1: x(at), x2: x(at), y1: ROWS.pins, y2: ROWS.stages + 18 }),
          svg("circle", { cx: x(at), cy: ROWS.pins - 6, r: 8 }), svg("text", { x: x(at), y: ROWS.pins - 2 }, String(i + 1))));
      });
      picture.append(head);
      picture.addEventListener("click", (event) => {
        play((event.clientX - picture.getBoundingClientRect().left) / scale);
      });
      const scrolled = holder.scrollLeft;
      holder.replaceChildren(picture);
      holder.scrollLeft = scrolled;
      drawn = x;
    };
    const point = (ms) => {
      head.setAttribute("x1", drawn(ms));
      head.setAttribute("x2", drawn(ms));
      head.dataset.ms = Math.round(ms);
    };
    // Keeps the playhead in sight.
    const follow = (ms) => {
      const at = drawn(ms);
      if (at < holder.scrollLeft || at > holder.scrollLeft + holder.clientWidth - 60) holder.scrollLeft = at - 80;
    };
    draw();
    point(0);
    return {
      element: html("div", { class: "timeline" }, labels, holder), point, follow,
      zoom: (by) => { scale = by ? Math.min(Math.max(scale * by, fit), Math.max(fit, 1, 30000 / length)) : fit; draw(); },
      waves: (of) => { peaks = of; draw(); },
    };
  };

  // The loudest sample of every so many milliseconds, as a shape around the middle of a lane.
  const wave = ({ from, every, values }, side, top, x) => {
    const middle = top + LANE / 2;
    const edge = values.map((value, i) => `${x(from + i * every)} ${(middle - value * (LANE / 2 - 2)).toFixed(1)}`);
    const back = values.map((value, i) => `${x(from + i * every)} ${(middle + value * (LANE / 2 - 2)).toFixed(1)}`).reverse();
    return svg("path", { class: `wave ${side}`, d: `M${edge.concat(back).join("L")}Z`, "pointer-events": "none" });
  };
  const peaksOf = async (bytes, from) => {
    const decoded = await new OfflineAudioContext(2, 1, 48000).decodeAudioData(bytes.slice().buffer);
    const every = Math.max(10, decoded.duration);
    const samples = Math.round(decoded.sampleRate * every / 1000);
    return [0, 1].map((channel) => {
      const data = decoded.getChannelData(Math.min(channel, decoded.numberOfChannels - 1));
      const values = [];
      for (let begin = 0; begin < data.length; begin += samples) {
        let most = 0;
        for (let i = begin; i < begin + samples && i < data.length; i += 1) most = Math.max(most, Math.abs(data[i]));
        // What is quiet is still seen; what nobody hears is not.
        values.push(most < 0.004 ? 0 : Math.min(1, most) ** 0.7);
      }
      // The loudest moment fills the lane, unless all is next to silence.
      const loudest = Math.max(0.05, ...values);
      return { from, every, values: values.map((value) => value / loudest) };
    });
  };

  /* The words, gaps and events in the order of time. */
  const transcript = (call, from) => {
    const lines = [];
    const line = (at, kind, who, ...text) => lines.push([at, html("li", { class: kind },
      kind === "aside" ? html("span", { class: "from" }, clock(at)) : from(at),
      html("span", { class: "who" }, who), html("div", { class: "said-text" }, ...text))]);
    for (const [at, , step, whole] of call.said) {
      line(at, "caller", "Caller", shared.steps[step][1] || shared.steps[step][0], whole ? null : " (cut off)");
    }
    for (const [at, agent, words] of call.words) {
      if (agent) line(at, "agent", "Agent", words);
      else line(at, "aside", "understood", `“${words}”`);
    }
    for (const turn of call.turns) line(turn.from, "gap-line", shared.steps[turn.step][0], ...gap(turn));
    for (const [at, text] of call.events) line(at, "aside", "event", text);
    for (const [from_, until, name] of call.tools) {
      line(from_, "aside", "tool", `${name || "unnamed"}, ${grouped(until - from_)} ms`);
    }
    lines.sort((a, b) => a[0] - b[0]);
    return html("ol", { class: "transcript" }, ...lines.map(([, of]) => of));
  };
  const gap = (turn) => {
    const parts = turn.parts.filter(([, ms]) => ms > 0);
    const text = html("div", { class: "gap-text" }, turn.text);
    if (parts.length === 0) return [text];
    const total = parts.reduce((sum, [, ms]) => sum + ms, 0);
    let at = 0;
    const bars = parts.map(([index, ms]) => {
      const box = svg("rect", { class: shared.parts[index][1], x: at / total * 1000, y: 0, width: Math.max(0, ms / total * 1000 - 2), height: 10 });
      at += ms;
      return box;
    });
    const list = html("div", { class: "stage-list" });
    turn.parts.forEach(([index, ms], i) => list.append(i ? " · " : "", `${grouped(ms)} `, term(shared.parts[index][0])));
    return [text, svg("svg", { class: "stages", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, ...bars), list];
  };

  /* The page of a call. */
  const show = (id, at) => {
    const call = read(`data-${id}`);
    if (shown) close();
    run.hidden = true;
    sections.hidden = true;
    view.hidden = false;
    const place = shared.order.indexOf(id);
    const link = (to, name, rel) => to === undefined
      ? html("button", { disabled: true }, name)
      : html("a", { class: "button", href: `#call-${to}`, rel }, name);
    const nav = html("nav", { class: "call-nav", "aria-label": "Calls" }, html("a", { class: "button", href: "#calls" }, "← Report"),
      link(shared.order[place - 1], "Previous", "prev"), link(shared.order[place + 1], "Next", "next"),
      html("span", { class: "place" }, `${grouped(place + 1)} of ${grouped(shared.order.length)}, the worst first`));
    const heading = html("h2", { id: "call-title", tabindex: "-1" }, `Call ${id}`);
    if (!call) {
      view.replaceChildren(nav, heading, html("p", {}, "This call is not in the page, which would be too large. ",
        html("code", {}, `loadcall calls RUN ${id}`), " shows it."));
      shown = { id, close: () => {} };
      heading.focus();
      return;
    }
    const audio = player(call);
    const button = html("button", { class: "play", id: "play", click: () => toggle() }, "Play");
    const time = html("output", { "aria-live": "off" });
    const slider = html("input", { type: "range", min: 0, max: Math.max(call.len, 1), value: 0, step: 10, "aria-label": "Position in the call" });
    const lanes = timeline(call, (ms) => playFrom(ms));
    let frame = null;
    const update = () => {
      const now = audio ? audio.now() : -1000; // Without audio there is nothing to stand at.
      lanes.point(now);
      if (document.activeElement !== slider || !audio.sound.paused) slider.value = now;
      slider.setAttribute("aria-valuetext", `${(now / 1000).toFixed(1)} seconds`);
      time.textContent = `${clock(now)} of ${clock(call.len)}`;
    };
    const tick = () => {
      update();
      lanes.follow(audio.now());
      frame = audio.sound.paused ? null : requestAnimationFrame(tick);
    };
    const toggle = () => { if (audio) { if (audio.sound.paused) start(); else audio.sound.pause(); } };
    const start = () => audio.sound.play().catch(() => { note.textContent = "The audio cannot be played: is its file beside this page?"; });
    const playFrom = (ms) => { if (audio) { audio.seek(ms); update(); start(); } };
    const from = (ms) => audio
      ? html("button", { class: "from", click: () => playFrom(ms) }, html("span", { "aria-hidden": "true" }, "▸ "), html("span", { class: "hidden" }, "Play from "), clock(ms))
      : html("span", { class: "from" }, clock(ms));
    const note = html("p", { class: "note", role: "status" });
    const controls = html("div", { class: "player" });
    if (audio) {
      audio.sound.addEventListener("play", () => { button.textContent = "Pause"; if (!frame) tick(); });
      audio.sound.addEventListener("pause", () => { button.textContent = "Play"; update(); });
      audio.sound.addEventListener("seeked", update);
      slider.addEventListener("input", () => { audio.seek(Number(slider.value)); update(); });
      controls.append(button, slider, time, audio.sound);
      if (!call.audio.inside) note.textContent = `Its audio is the file ${call.audio.file} beside this page; without it in the page no waveform is drawn.`;
    } else {
      note.textContent = "No audio of this call was kept.";
    }
    for (const [name, by] of [["Zoom in", 1.6], ["Zoom out", 1 / 1.6], ["Whole call", 0]]) {
      controls.append(html("button", { click: () => { lanes.zoom(by); update(); } }, name));
    }
    const result = call.ok === null ? "says nothing about the agent" : call.ok ? "ok" : "failed";
    const [sign, tone] = call.ok === null ? ["–", "plain"] : call.ok ? ["✓", "good"] : ["✗", "bad"];
    const cause = call.cause ? html("span", {}, ": ", term(call.cause)) : null;
    const pins = call.pins.map(([pinned, problem, sentence], i) => html("li", { class: problem ? "problem" : null },
      html("span", { class: "badge", "aria-hidden": "true" }, String(i + 1)), from(pinned),
      html("span", {}, problem ? html("span", { class: "hidden" }, "Problem: ") : null, sentence)));
    const facts = [["room", call.room], ["room id", call.sid], ["agent", call.agent], ["outcome", call.outcome], ["dialled (UTC)", call.at]];
    const traced = call.trace ? html("a", { href: call.trace, rel: "noreferrer" }, "trace of this call") : null;
    const box = html("input", { type: "checkbox", id: "shortcuts", change: (event) => { shortcuts = event.target.checked; } });
    box.checked = shortcuts;
    view.replaceChildren(nav, heading,
      html("p", { class: "sentence" }, html("span", { class: tone }, `${sign} ${result}`), cause, call.detail ? ` · ${call.detail}` : ""),
      controls, lanes.element, note,
      html("ol", { class: "findings", "aria-label": "Findings" }, ...pins),
      html("h3", {}, "Transcript"), transcript(call, from),
      html("p", { class: "note" }, call.shortened ? "Shortened: the recording holds more. " : "",
        "Stages are laid end to end: their lengths are known, not when each began.",
        call.spans_note ? ` ${call.spans_note}` : ""),
      html("h3", {}, "This call"),
      html("dl", { class: "facts" }, ...facts.filter(([, value]) => value).map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value)))),
      html("p", {}, traced),
      html("p", { class: "note" }, html("label", {}, box, ` ${KEYS}`)));
    shown = { id, toggle, close: () => { if (frame) cancelAnimationFrame(frame); if (audio) audio.close(); } };
    document.title = `Call ${id} · ${title}`;
    // Where something happened is where to listen, from a little before.
    const first = call.pins.find(([, problem]) => problem) || call.pins[0];
    const begin = at !== undefined ? at : first ? Math.max(0, first[0] - 2500) : 0;
    if (audio) audio.seek(begin);
    update();
    lanes.point(audio ? begin : -1000);
    lanes.follow(begin);
    if (audio && audio.bytes) {
      const of = shown;
      peaksOf(audio.bytes, call.audio.from).then((peaks) => { if (shown === of) { lanes.waves(peaks); update(); view.dataset.waves = id; } })
        .catch(() => { note.textContent = "This browser cannot decode the audio of this call."; });
    }
    window.scrollTo(0, 0);
    heading.focus({ preventScroll: true });
  };
  const close = () => {
    shown.close();
    shown = null;
    view.replaceChildren();
    view.hidden = true;
    run.hidden = false;
    sections.hidden = false;
    document.title = title;
  };

  /* What is shown is what the address says. */
  const route = () => {
    const call = /^#call-(\d+)(?:@(\d+))?$/.exec(location.hash);
    const id = call && Number(call[1]);
    if (call && shared.order.includes(id)) {
      show(id, call[2] === undefined ? undefined : Number(call[2]));
    } else if (shown) {
      const last = shown.id;
      close();
      const target = byId(location.hash.slice(1));
      if (target) target.scrollIntoView();
      const back = document.querySelector(`#call-list a[href="#call-${last}"]`);
      if (location.hash === "#calls" && back && !back.closest("tr").hidden) back.focus();
    }
  };
  window.addEventListener("hashchange", route);

  document.addEventListener("keydown", (event) => {
    if (!shown || !shortcuts || event.ctrlKey || event.altKey || event.metaKey) return;
    const on = event.target;
    if (on.matches("input:not([type=range]):not([type=checkbox]), textarea, select")) return;
    const next = { n: 1, p: -1 }[event.key];
    const to = next && shared.order[shared.order.indexOf(shown.id) + next];
    if (to !== undefined && next) location.hash = `#call-${to}`;
    else if (event.key === "Escape") location.hash = "#calls";
    else if (event.key === " " && !on.matches("button, input, a") && shown.toggle) { event.preventDefault(); shown.toggle(); }
  });

  // Of a long list the front is enough to begin with.
  const FIRST = 25;
  const rows = [...document.querySelectorAll("#call-list tbody tr")];
  if (rows.length > FIRST + 5) {
    const rest = rows.slice(FIRST);
    for (const row of rest) row.hidden = true;
    const more = html("button", { id: "show-all", click: () => {
      for (const row of rest) row.hidden = false;
      more.remove();
      rest[0].querySelector("a").focus();
    } }, `Show all ${grouped(rows.length)} calls`);
    byId("call-list").after(more);
  }
  route();
})();

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arena over time: steps to the right, offsets upwards, each buffer from
// the first to the last step that needs it.
"use strict";

const chart = {width: 1400, height: 320, left: 76, right: 12, top: 22, bottom: 30};

/// Bytes in use during each step, and the step with the most.
function usage(slots) {
  const changes = new Array(allSteps.length + 1).fill(0);
  for (const slot of slots) {
    changes[slot.first] += slot.bytes;
    changes[slot.last + 1] -= slot.bytes;
  }
  let now = 0, peak = {step: 0, bytes: 0};
  const bytes = changes.slice(0, -1).map((change, step) => {
    now += change;
    if (now > peak.bytes)
      peak = {step, bytes: now};
    return now;
  });
  return {bytes, peak};
}

/// Round numbers up to `most`, about `count` of them.
function marks(most, count) {
  const rough = most / count, power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)));
  const unit = [1, 2, 5, 10].map(digit => digit * power).find(size => size >= rough);
  const all = [];
  for (let mark = 0; mark <= most * 1.0001; mark += unit)
    all.push(mark);
  return all;
}

function bufferTitle(slot) {
  const writer = slot.writer === null ? "" : `${shown(allSteps[slot.writer].name)}  ${allSteps[slot.writer].title}\n`;
  const size = slot.bytes === null ? "size depends on the run" : `${scaled(slot.bytes, "B")} (${slot.bytes}) at ${slot.offset}`;
  return `${writer}${slot.type}\n${size}\nsteps ${slot.first} to ${slot.last}`;
}

/// One arena. Without sizes, each buffer has a row of its own.
function drawArena(slots, arenaBytes) {
  const sized = slots.every(slot => slot.bytes !== null && slot.offset !== null);
  const most = sized ? Math.max(arenaBytes || 0, ...slots.map(slot => slot.offset + slot.bytes), 1) : slots.length;
  const width = chart.width - chart.left - chart.right, height = chart.height - chart.top - chart.bottom;
  const atStep = step => chart.left + width * step / allSteps.length;
  const atByte = byte => chart.top + height * (1 - byte / most);
  const svg = drawn("svg", {viewBox: `0 0 ${chart.width} ${chart.height}`, class: "arena"});
  if (sized)
    for (const mark of marks(most, 6))
      svg.append(drawn("line", {class: "grid", x1: chart.left, x2: chart.width - chart.right, y1: atByte(mark), y2: atByte(mark)}),
        drawn("text", {class: "tick", x: chart.left - 6, y: atByte(mark) + 4, "text-anchor": "end"}, scaled(mark, "B")));
  for (const mark of marks(allSteps.length, 12).filter(Number.isInteger))
    svg.append(drawn("text", {class: "tick", x: atStep(mark), y: chart.height - 12, "text-anchor": "middle"}, String(mark)));
  svg.append(drawn("text", {class: "tick", x: chart.width - chart.right, y: chart.height - 2, "text-anchor": "end"}, "step"));
  slots.forEach((slot, row) => svg.append(drawBuffer(slot, {
    x: atStep(slot.first), width: atStep(slot.last + 1) - atStep(slot.first),
    y: sized ? atByte(slot.offset + slot.bytes) : atByte(row + 1), height: (sized ? slot.bytes : 0.8) * height / most})));
  const marker = drawn("rect", {class: "now", y: chart.top, height, width: Math.max(width / allSteps.length, 1), visibility: "hidden"});
  let written = [];
  svg.append(marker);
  if (sized && slots.length)
    drawPeak(svg, usage(slots).peak, atStep, atByte, arenaBytes);
  selection.listeners.push(step => {
    marker.setAttribute("visibility", step ? "visible" : "hidden");
    if (step)
      marker.setAttribute("x", atStep(step.index));
    written = moveClass("selected", written, step ? svg.querySelectorAll(`[data-writer="${step.index}"]`) : []);
  });
  return svg;
}

function drawBuffer(slot, place) {
  const drawing = drawn("g", {class: `buffer hue${slot.slot % 5}`, "data-writer": slot.writer === null ? -1 : slot.writer},
    drawn("title", {}, bufferTitle(slot)),
    drawn("rect", {...place, width: Math.max(place.width - 0.6, 0.5), height: Math.max(place.height - 0.6, 0.5)}));
  const name = slot.writer === null ? slot.type : shown(allSteps[slot.writer].name);
  const letters = Math.floor((place.width - 6) / 6.2);
  if (letters >= 4 && place.height >= 15)
    drawing.append(drawn("text", {x: place.x + 4, y: place.y + Math.min(place.height / 2 + 4, 13)}, cut(name, letters)));
  if (letters >= 6 && place.height >= 28 && slot.bytes !== null)
    drawing.append(drawn("text", {class: "size", x: place.x + 4, y: place.y + Math.min(place.height / 2 + 17, 26)}, cut(scaled(slot.bytes, "B"), letters)));
  if (slot.writer !== null)
    drawing.addEventListener("click", () => select(allSteps[slot.writer], "arena"));
  return drawing;
}

/// The step with the most bytes in use, and the arena's end.
function drawPeak(svg, peak, atStep, atByte, arenaBytes) {
  const x = (atStep(peak.step) + atStep(peak.step + 1)) / 2, atRight = x > chart.width / 2;
  svg.append(drawn("line", {class: "peak", x1: x, x2: x, y1: chart.top - 8, y2: chart.height - chart.bottom}),
    drawn("text", {class: "peak", x: x + (atRight ? -5 : 5), y: chart.top - 10, "text-anchor": atRight ? "end" : "start"},
      `peak: ${scaled(peak.bytes, "B")} in use in step ${peak.step}, ${cut(shown(allSteps[peak.step].name), 40)}`));
  if (arenaBytes !== null)
    svg.append(drawn("line", {class: "end", x1: chart.left, x2: chart.width - chart.right, y1: atByte(arenaBytes), y2: atByte(arenaBytes)}));
}

function showArena() {
  const stats = data.stats, note = byId("arena-note"), onHost = data.slots.filter(slot => !slot.device);
  for (const [device, bytes] of [[false, stats.arena_bytes], [true, stats.device_arena_bytes]]) {
    const slots = data.slots.filter(slot => slot.device === device);
    if (!slots.length)
      continue;
    if (device)
      byId("memory").append(element("h3", {}, `On the device: ${scaled(bytes, "B")}`));
    byId("memory").append(drawArena(slots, bytes));
  }
  if (!onHost.length)
    note.textContent = data.slots.length ? "all of it is on the device" : "no step needs it";
  else if (stats.arena_bytes === null)
    note.textContent = "sizes depend on free dimensions and are planned at run time: each buffer has a row; --dim fixes dimensions";
  else
    note.textContent = `${scaled(stats.arena_bytes, "B")} for ${plural(onHost.length, "buffer")}; ${stats.arena_bytes === stats.lower_bound_bytes
      ? "none could be smaller" : `the lower bound is ${scaled(stats.lower_bound_bytes, "B")}`}`;
}

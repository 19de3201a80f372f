// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The blocks of data, joined and formatted. Texts of the model reach the page
// through text nodes and attributes only.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const bench = JSON.parse(document.getElementById("profile").textContent);

//---- Text

/// A text of the model on one line: what would be invisible, or change the
/// order of others, as its code.
function shown(text) {
  return text === "" ? "(no name)" : text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, c => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
}

function cut(text, length) {
  const letters = Array.from(text);
  return letters.length <= length ? text : letters.slice(0, length - 1).join("") + "…";
}

/// Three digits and a unit: "3.86 GFLOP".
function scaled(number, unit) {
  if (number === null || number === undefined)
    return "–";
  const prefixes = ["", "k", "M", "G", "T", "P", "E"];
  let prefix = 0;
  for (; Math.abs(number) >= 999.5 && prefix + 1 < prefixes.length; ++prefix)
    number /= 1000;
  const digits = prefix === 0 && Number.isInteger(number) ? String(number) : number.toPrecision(3);
  return `${digits} ${prefixes[prefix]}${unit}`.trim();
}

function duration(seconds) {
  if (seconds === null || seconds === undefined)
    return "–";
  for (const [unit, size] of [["s", 1], ["ms", 1e-3], ["µs", 1e-6]])
    if (seconds >= size)
      return `${(seconds / size).toPrecision(3)} ${unit}`;
  return `${(seconds * 1e9).toFixed(0)} ns`;
}

const percent = share => share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`;

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

//---- Elements

function element(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith("on"))
      made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

/// Gives these elements a class, and takes it from those that had it before.
function moveClass(name, before, now) {
  for (const each of before)
    each.classList.remove(name);
  for (const each of now)
    each.classList.add(name);
  return now;
}

const byId = id => document.getElementById(id);

//---- Steps

/// "fma 12×4 block 256×64 K 512 packed"; a block without a size is one tile.
function scheduleText(schedule) {
  let text = `${schedule.form} ${schedule.tileRows}×${schedule.tileVectors}`;
  if (schedule.blockRows || schedule.blockColumns)
    text += ` block ${schedule.blockRows || "tile"}×${schedule.blockColumns || "tile"}`;
  if (schedule.blockK)
    text += ` K ${schedule.blockK}`;
  return schedule.packed ? text + " packed" : text;
}

/// The operators of some nodes: "Conv, Relu".
function operatorsText(nodes) {
  const counts = new Map();
  for (const node of nodes)
    counts.set(node.op, (counts.get(node.op) || 0) + 1);
  return [...counts].map(([op, count]) => shown(op) + (count > 1 ? ` ×${count}` : "")).join(", ");
}

const allNodes = data.nodes.map(([name, op]) => ({name, op, steps: []}));

const allSteps = data.steps.map((step, index) => {
  const kernel = step.kernel === null ? null : data.kernels[step.kernel];
  const nodes = step.nodes.map(node => allNodes[node]);
  return {
    ...step, index, kernel, nodes,
    title: operatorsText(nodes) || step.name.replace(/^k\d+_/, ""),
    flop: kernel && kernel.flop, bytes: kernel && kernel.bytes,
    reads: [], writes: [], remarks: [], slots: [], measured: null,
  };
});
for (const step of allSteps)
  for (const node of step.nodes)
    if (!node.steps.includes(step))
      node.steps.push(step);
for (const edge of data.edges) {
  if (edge.from !== undefined)
    allSteps[edge.from].writes.push(edge);
  if (edge.to !== undefined)
    allSteps[edge.to].reads.push(edge);
}
for (const slot of data.slots)
  if (slot.writer !== null)
    allSteps[slot.writer].slots.push(slot);

/// The steps that a remark is about.
for (const remark of data.remarks) {
  remark.places = remark.nodes.map(place => ({
    ...place, steps: place.node === undefined ? [] : allNodes[place.node].steps,
    text: place.node === undefined ? place.text : allNodes[place.node].name,
  }));
  for (const place of remark.places)
    for (const step of place.steps)
      step.remarks.push({kind: remark.kind, pass: remark.pass, text: remark.text, node: place.text, after: place.after});
}

//---- Measured times

const profile = bench && bench.profile;
for (const row of profile ? profile.steps : []) {
  const step = allSteps[row.step];
  step.measured = {...row, seconds: row.ms * 1e-3};
  step.flop = row.flop === null ? step.flop : row.flop;
  step.bytes = row.bytes === null ? step.bytes : row.bytes;
}

/// What the cost of a step is compared by: time if it was measured, else FLOP.
const costOf = step => (profile ? step.measured && step.measured.seconds : step.flop) || 0;
const totalCost = allSteps.reduce((sum, step) => sum + costOf(step), 0);
const highestCost = allSteps.reduce((most, step) => Math.max(most, costOf(step)), 0);
const shareOf = step => totalCost > 0 ? costOf(step) / totalCost : null;

//---- Places: CPU levels, and the device

const places = [...new Set(data.kernels.flatMap(kernel => kernel.code.map(code => code.place)))];
const measuredPlace = bench && (bench.device ? "device" : bench.level);
let place = places.includes(measuredPlace) ? measuredPlace : places[0];

/// The code of a step for the chosen place, or else for any.
function codeOf(step) {
  const codes = step.kernel ? step.kernel.code : [];
  return codes.find(code => code.place === place) || codes[0] || null;
}

const arithmeticOf = step => codeOf(step) ? codeOf(step).arithmetic : "";
const schedulesOf = step => codeOf(step) ? codeOf(step).schedules.map(scheduleText).join("; ") : "";

//---- What is selected: one step, in all views

const selection = {step: null, listeners: []};

/// `source`: the view that it was selected in, which need not move.
function select(step, source) {
  selection.step = step;
  for (const listener of selection.listeners)
    listener(step, source);
}

const searchTexts = new Map();

/// Whether a step is found by words, in lower case.
function matches(step, words) {
  if (!searchTexts.has(step))
    searchTexts.set(step, [step.name, ...step.nodes.flatMap(node => [node.name, node.op])].join("\n").toLowerCase());
  return words.every(word => searchTexts.get(step).includes(word));
}

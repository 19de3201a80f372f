// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is known of one step, beside the graph.
"use strict";

function factRow(name, value) {
  return value === null || value === "" ? null : element("tr", {}, element("th", {}, name), element("td", {}, value));
}

function stepLink(step, text) {
  return element("a", {href: "#graph", class: "step", onclick: event => {
    event.preventDefault();
    select(step, "link");
  }}, text || shown(step.name));
}

function valueLine(edge, other) {
  const size = edge.bytes === null ? "" : scaled(edge.bytes, "B");
  return element("li", {}, element("code", {}, edge.type), " ", element("span", {class: "muted"}, size), " ", other);
}

function section(title, ...content) {
  return content.length ? element("div", {class: "part"}, element("h4", {}, title), ...content) : null;
}

function listOf(title, items) {
  return items.length ? section(`${title} (${items.length})`, element("ul", {}, ...items)) : null;
}

function readsOf(step) {
  return listOf("Reads", step.reads.map(edge => valueLine(edge, edge.from === undefined ? `input ${shown(data.inputs[edge.input].name)}` : stepLink(allSteps[edge.from]))));
}

function writesOf(step) {
  return listOf("Read by", step.writes.map(edge => valueLine(edge, edge.to === undefined ? `output ${shown(data.outputs[edge.output].name)}` : stepLink(allSteps[edge.to]))));
}

function constantsOf(step) {
  return listOf("Weights and constants", step.constants.map(value => valueLine(value, "")));
}

function buffersOf(step) {
  return listOf("Buffers in the arena", step.slots.map(slot => valueLine(slot,
    `${slot.offset === null ? "" : `at ${scaled(slot.offset, "B")}, `}until step ${slot.last}`)));
}

function codeSection(step) {
  const codes = step.kernel ? step.kernel.code : [];
  return codes.length === 0 ? null : section("Code", ...codes.map(code => element("table", {class: "code"},
    factRow("for", code.place),
    factRow("arithmetic", code.arithmetic),
    ...code.schedules.map(schedule => factRow("schedule", scheduleText(schedule))),
    factRow("size", scaled(code.bytes, "B")),
    code.scratch_bytes ? factRow("scratch", `${scaled(code.scratch_bytes, "B")} per thread`) : null,
    factRow("compiled in", duration(code.seconds)),
    ...code.functions.map(used => factRow(used.chip, `${used.registers} registers, ${scaled(used.shared_bytes, "B")} shared, ${scaled(used.spill_bytes, "B")} spilled`)))));
}

function measuredRows(measured) {
  if (!measured)
    return [];
  return [factRow("time", `${duration(measured.seconds)}, ${percent(measured.share)} of a run`),
    measured.launches === 1 ? null : factRow("launches", measured.launches.toPrecision(3)),
    measured.gflops === null ? null : factRow("rate", `${measured.gflops.toFixed(1)} GFLOP/s`),
    measured.gbps === null ? null : factRow("", `${measured.gbps.toFixed(1)} GB/s`),
    measured.bound === null ? null : factRow("of the peak", `${percent(measured.of_bound)} of ${measured.bound}`)];
}

const remarkTitles = {slow: "Slower than it could be", left: "Left as it was", done: "Done"};

const mostRemarkNodes = 6;

/// The remarks of a kind, each once, with the nodes that it is about.
function remarksOf(step, kind) {
  const nodes = new Map();
  for (const remark of step.remarks.filter(each => each.kind === kind)) {
    const key = JSON.stringify([remark.pass, remark.text]);
    nodes.set(key, [...nodes.get(key) || [], shown(remark.node) + (remark.after ? ` after ${shown(remark.after)}` : "")]);
  }
  const items = [...nodes].map(([key, texts]) => {
    const [pass, text] = JSON.parse(key), more = texts.length - mostRemarkNodes;
    return element("li", {}, element("span", {class: "pass"}, pass), ` ${text} `,
      element("span", {class: "muted long"}, texts.slice(0, mostRemarkNodes).join(", ") + (more > 0 ? ` and ${more} more` : "")));
  });
  return items.length ? section(remarkTitles[kind], element("ul", {class: kind}, ...items)) : null;
}

function showDetails(step) {
  const panel = byId("details");
  panel.replaceChildren();
  if (!step) {
    panel.append(element("p", {class: "muted"}, "No kernel is selected."));
    return;
  }
  const others = step.kernel ? allSteps.filter(other => other !== step && other.kernel === step.kernel) : [];
  const shownOthers = others.slice(0, 12).flatMap(other => [stepLink(other, `${other.index}`), " "]);
  panel.append(element("h3", {}, shown(step.title)), element("div", {class: "name"}, shown(step.name)),
    element("table", {class: "facts"},
      factRow("step", `${step.index} of ${allSteps.length}`),
      step.inside ? factRow("inside", step.inside) : null,
      ...measuredRows(step.measured),
      factRow("FLOP", step.flop === null ? "depends on the run" : scaled(step.flop, "FLOP")),
      factRow("moves", step.bytes === null ? "depends on the run" : scaled(step.bytes, "B")),
      step.kernel ? factRow("pieces", String(step.kernel.pieces)) : null,
      shownOthers.length ? element("tr", {}, element("th", {}, "same kernel"), element("td", {}, ...shownOthers, others.length > 12 ? "…" : "")) : null),
    ...[listOf("Nodes", step.nodes.map(node => element("li", {}, element("span", {class: "op"}, shown(node.op)), " ", element("span", {class: "long"}, shown(node.name))))),
      remarksOf(step, "slow"), remarksOf(step, "left"), codeSection(step), readsOf(step), writesOf(step), constantsOf(step), buffersOf(step),
      remarksOf(step, "done")].filter(Boolean));
  panel.scrollTop = 0;
}

selection.listeners.push(showDetails);

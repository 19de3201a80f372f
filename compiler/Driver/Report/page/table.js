// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of steps, sorted by a column.
"use strict";

const columns = [
  {name: "#", value: step => step.index, title: "order in a run"},
  {name: "kernel", value: step => step.name, text: step => shown(step.name), kind: "code"},
  {name: "nodes", value: step => step.title, text: step => step.title, hint: step => step.nodes.map(node => `${shown(node.op)}  ${shown(node.name)}`).join("\n"), kind: "wide"},
  {name: "time", value: step => step.measured && step.measured.seconds, text: step => duration(step.measured && step.measured.seconds), measured: true, title: "of a run"},
  {name: "share", value: shareOf, text: step => percent(shareOf(step)), kind: "share", title: "of the time if it was measured, else of the FLOP"},
  {name: "GFLOP/s", value: step => step.measured && step.measured.gflops, text: step => rate(step, "gflops"), measured: true},
  {name: "GB/s", value: step => step.measured && step.measured.gbps, text: step => rate(step, "gbps"), measured: true},
  {name: "of the peak", value: step => step.measured && step.measured.of_bound, text: step => step.measured && step.measured.bound ? `${percent(step.measured.of_bound)} ${step.measured.bound}` : "–", measured: true},
  {name: "FLOP", value: step => step.flop, text: step => scaled(step.flop, ""), title: "a multiply-add counts as two"},
  {name: "bytes", value: step => step.bytes, text: step => scaled(step.bytes, "B"), title: "of operands and results, each once"},
  {name: "FLOP/B", value: intensity, text: step => intensity(step) === null ? "–" : intensity(step).toPrecision(3), title: "what is computed with each byte"},
  {name: "pieces", value: step => step.kernel && step.kernel.pieces, text: step => step.kernel ? String(step.kernel.pieces) : "–", title: "that threads share"},
  {name: "arithmetic", value: arithmeticOf, text: arithmeticOf, kind: "code"},
  {name: "schedule", value: schedulesOf, text: schedulesOf, kind: "code", title: "register tile in rows × vectors, block in rows × columns, chunk of K"},
  {name: "remarks", value: step => remarkCount(step, "slow") * 1000 + remarkCount(step, "left"), text: remarkText, hint: remarkHint, kind: "wide", title: "what is slow, and what was left as it was"},
].filter(column => profile || !column.measured);

const sorting = {column: columns.find(column => column.name === (totalCost > 0 ? "share" : "#")), down: totalCost > 0};
const rows = new Map();

function rate(step, name) {
  return step.measured && step.measured[name] !== null ? step.measured[name].toFixed(1) : "–";
}

function intensity(step) {
  return step.flop !== null && step.bytes ? step.flop / step.bytes : null;
}

function remarkCount(step, kind) {
  return step.remarks.filter(remark => remark.kind === kind).length;
}

/// The first remark that matters, and how many more there are.
function remarkText(step) {
  const open = step.remarks.filter(remark => remark.kind !== "done").sort((a, b) => a.kind === b.kind ? 0 : a.kind === "slow" ? -1 : 1);
  return open.length ? open[0].text + (open.length > 1 ? ` (+${open.length - 1})` : "") : "";
}

function remarkHint(step) {
  return step.remarks.map(remark => `${remark.kind}: ${remark.pass}: ${remark.text}`).join("\n");
}

function isNumeric(column) {
  return !["code", "wide"].includes(column.kind);
}

function makeCell(column, step) {
  const text = column.text ? column.text(step) : String(column.value(step));
  const cell = element("td", {class: column.kind || (isNumeric(column) ? "number" : ""), title: column.hint ? column.hint(step) : column.kind ? text : null}, text);
  if (column.kind === "share")
    cell.style.setProperty("--share", highestCost > 0 ? costOf(step) / highestCost : 0);
  if (column.name === "remarks" && remarkCount(step, "slow"))
    cell.classList.add("slow");
  return cell;
}

function makeRow(step) {
  const row = element("tr", {onclick: () => select(step, "table")}, ...columns.map(column => makeCell(column, step)));
  rows.set(step, row);
  return row;
}

function sortedSteps() {
  const {column, down} = sorting;
  return allSteps.map(step => [column.value(step), step]).sort(([a, x], [b, y]) => {
    if (a === null || b === null)
      return (a === null) - (b === null) || x.index - y.index;
    const order = typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a - b;
    return (down ? -order : order) || x.index - y.index;
  }).map(([, step]) => step);
}

function sortBy(column) {
  sorting.down = sorting.column === column ? !sorting.down : isNumeric(column) && column.name !== "#";
  sorting.column = column;
  showTable();
}

/// More rows than this are left out: searches and sorting bring them.
const mostRows = 2000;

/// Only what a search found; null: there is none.
let foundSteps = null;

function showTable() {
  const head = element("thead", {}, element("tr", {}, ...columns.map(column => element("th", {
    class: column.kind || "number", title: column.title,
    "aria-sort": sorting.column === column ? sorting.down ? "descending" : "ascending" : null, onclick: () => sortBy(column)}, column.name))));
  const steps = sortedSteps().filter(step => foundSteps === null || foundSteps.has(step));
  rows.clear();
  byId("table").replaceChildren(head, element("tbody", {}, ...steps.slice(0, mostRows).map(makeRow)));
  byId("more").textContent = steps.length > mostRows ? `and ${steps.length - mostRows} more` : "";
  markRow(selection.step);
}

let markedRows = [];

function markRow(step) {
  markedRows = moveClass("selected", markedRows, rows.has(step) ? [rows.get(step)] : []);
}

function filterTable(found) {
  if (found === null && foundSteps === null)
    return;
  foundSteps = found;
  showTable();
}

selection.listeners.push((step, source) => {
  markRow(step);
  const row = rows.get(step), scrolled = byId("table").parentElement;
  if (row && source !== "table") // not the page
    scrolled.scrollTop = row.offsetTop - scrolled.clientHeight / 2;
});

byId("kernels-note").textContent = `${totalCost > 0 ? `share of ${profile ? `${duration(profile.run_ms * 1e-3)} a run` : scaled(totalCost, "FLOP")}; ` : ""}click a heading to sort`;

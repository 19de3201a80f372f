// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The graph: drawn once; zooming and moving change one transformation.
"use strict";

const view = {x: 0, y: 0, scale: 1};
const graph = layOut();
const boxOfStep = new Map(graph.boxes.filter(node => node.step).map(node => [node.step, node]));

function pathOf(line) {
  let [x, y] = [line.from.x, line.from.y + line.from.height];
  let path = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  const bendTo = (toX, toY) => {
    const middle = ((y + toY) / 2).toFixed(1);
    path += `C${x.toFixed(1)} ${middle} ${toX.toFixed(1)} ${middle} ${toX.toFixed(1)} ${toY.toFixed(1)}`;
    [x, y] = [toX, toY];
  };
  for (const point of line.points) {
    bendTo(point.x, point.y);
    path += `V${(y = point.y + point.height).toFixed(1)}`;
  }
  bendTo(line.to.x, line.to.y);
  return path;
}

/// Edges of one value share a label, below the box that it is from.
function drawLine(line) {
  const more = line.more ? ` and ${line.more} more` : "";
  const size = line.edge.bytes === null ? "" : `, ${scaled(line.edge.bytes, "B")}`;
  line.path = drawn("path", {d: pathOf(line), class: "edge"}, drawn("title", {}, `${line.edge.type}${size}${more}`));
  const first = line.from.outs[0] === line, lone = line.from.outs.length === 1;
  if (!first)
    return [line.path];
  const types = new Set(line.from.outs.map(other => other.edge.type));
  const x = lone && line.points.length === 0 ? (line.from.x * 3 + line.to.x) / 4 : line.from.x;
  line.label = drawn("text", {class: "shape", x: x + 5, y: line.from.y + line.from.height + 14},
    cut(line.edge.type, 26) + (types.size > 1 ? ` +${types.size - 1}` : ""));
  return [line.path, line.label];
}

const measure = document.createElement("canvas").getContext("2d");
const fonts = {title: "600 12px", kernel: "11px", value: "11.5px"};
const families = {kernel: "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"};

/// A text of the model, cut to a width.
function textAt(x, y, kind, text, width) {
  measure.font = `${fonts[kind]} ${families[kind] || getComputedStyle(document.body).fontFamily}`;
  text = cut(shown(text), 60);
  while (text.length > 2 && measure.measureText(text).width > width)
    text = cut(text, Array.from(text).length - 1);
  return drawn("text", {x, y, class: kind}, text);
}

function drawBox(node) {
  const left = node.x - box.width / 2;
  const frame = drawn("rect", {class: "frame", x: left, y: node.y, width: box.width, height: node.height, rx: node.step ? 3 : 12});
  node.drawing = drawn("g", {class: `box ${node.kind || (node.step.kernel ? "kernel" : "other")}`}, frame);
  if (!node.step) {
    node.drawing.append(drawn("title", {}, `${node.kind} ${shown(node.value.name)}: ${shown(node.value.type)}`),
      textAt(node.x, node.y + 16, "value", `${shown(node.value.name)}  ${node.value.type}`, box.width - 16));
    return node.drawing;
  }
  const step = node.step, isSlow = step.remarks.some(remark => remark.kind === "slow"), share = highestCost > 0 ? costOf(step) / highestCost : 0;
  const cost = profile ? duration(step.measured ? step.measured.seconds : null) : step.flop ? scaled(step.flop, "FLOP") : "";
  node.drawing.append(drawn("title", {}, `${shown(step.name)}\n${step.nodes.map(each => `${shown(each.op)}  ${shown(each.name)}`).join("\n")}`),
    textAt(left + 8, node.y + 17, "title", step.title, box.width - (isSlow ? 26 : 14)),
    textAt(left + 8, node.y + 33, "kernel", step.name, box.width - 16 - 7 * (cost.length + 1)),
    drawn("text", {x: left + box.width - 8, y: node.y + 33, class: "cost"}, cost),
    drawn("rect", {class: "heat", x: left + 1, y: node.y + node.height - 5, width: Math.max(share * (box.width - 2), share > 0 ? 1 : 0), height: 4}));
  if (isSlow)
    node.drawing.append(drawn("circle", {class: "slow", cx: left + box.width - 10, cy: node.y + 12, r: 3.5}));
  node.drawing.addEventListener("click", () => view.dragged || select(step, "graph"));
  return node.drawing;
}

/// Bands of the graph from top to bottom: only those in view are laid out by
/// the browser. Long edges are in none, and always drawn.
const bandHeight = 1600;
const bandOf = y => Math.floor(y / bandHeight);
const bands = Array.from({length: bandOf(graph.height) + 1}, () => drawn("g", {}));
const content = drawn("g", {});
const picture = drawn("svg", {}, content);
for (const line of graph.lines) {
  const first = bandOf(line.from.y), isLong = bandOf(line.to.y) > first + 1;
  (isLong ? content : bands[first]).append(...drawLine(line));
}
for (const node of graph.boxes)
  bands[bandOf(node.y)].append(drawBox(node));
content.append(...bands);
byId("canvas").append(picture);
byId("graph-note").textContent = `${plural(data.kernels.length, "kernel")} in ${plural(allSteps.length, "step")}; the bars show ${profile ? "measured time" : "FLOP"}. Wheel zooms, drag moves`;

//---- Moving

function applyView() {
  content.setAttribute("transform", `translate(${view.x.toFixed(2)} ${view.y.toFixed(2)}) scale(${view.scale.toFixed(4)})`);
  picture.classList.toggle("far", view.scale < 0.4);
  picture.classList.toggle("near", view.scale > 0.8);
  const first = bandOf(-view.y / view.scale), last = bandOf((canvasSize.height - view.y) / view.scale);
  bands.forEach((band, i) => band.style.display = i >= first - 1 && i <= last ? "" : "none");
  moveFrame();
}

const canvasSize = {width: 0, height: 0};

function measureCanvas() {
  canvasSize.width = picture.clientWidth || 800;
  canvasSize.height = picture.clientHeight || 600;
}

/// Keeps the point at (x, y) of the canvas in its place.
function zoomAt(factor, x, y) {
  const scale = Math.min(4, Math.max(0.01, view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  applyView();
}

function zoom(factor) {
  zoomAt(factor, canvasSize.width / 2, canvasSize.height / 2);
}

function showAt(scale, x, y, top) {
  view.scale = scale;
  view.x = canvasSize.width / 2 - x * scale;
  view.y = top - y * scale;
  applyView();
}

function fit() {
  const scale = Math.min(1, canvasSize.width / (graph.width + 60), canvasSize.height / (graph.height + 60));
  showAt(scale, graph.left + graph.width / 2, graph.height / 2, canvasSize.height / 2);
}

/// The inputs, at a size that can be read.
function showTop() {
  const first = graph.boxes.filter(node => node.layer === 0);
  showAt(Math.max(0.7, Math.min(1, canvasSize.width / (graph.width + 60))), first.length ? mean(first, node => node.x) : 0, 0, 20);
}

function move(x, y) {
  view.x += x;
  view.y += y;
  applyView();
}

picture.addEventListener("wheel", event => {
  event.preventDefault();
  const place = picture.getBoundingClientRect();
  const pixels = event.deltaY * (event.deltaMode ? 20 : 1);
  if (event.shiftKey)
    move(-pixels, 0);
  else
    zoomAt(Math.exp(-pixels * 0.0015), event.clientX - place.left, event.clientY - place.top);
}, {passive: false});

picture.addEventListener("pointerdown", event => {
  let [x, y] = [event.clientX, event.clientY];
  view.dragged = false;
  const drag = moved => {
    if (!view.dragged && Math.hypot(moved.clientX - x, moved.clientY - y) < 4)
      return;
    view.dragged = true;
    move(moved.clientX - x, moved.clientY - y);
    [x, y] = [moved.clientX, moved.clientY];
  };
  const end = () => {
    window.removeEventListener("pointermove", drag);
    window.removeEventListener("pointerup", end);
  };
  window.addEventListener("pointermove", drag);
  window.addEventListener("pointerup", end);
});

byId("canvas").addEventListener("keydown", event => {
  const actions = {"+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit, "1": showTop,
    ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60), ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0)};
  if (!actions[event.key] || event.ctrlKey || event.metaKey)
    return;
  event.preventDefault();
  actions[event.key]();
});
byId("zoom-in").addEventListener("click", () => zoom(1.25));
byId("zoom-out").addEventListener("click", () => zoom(0.8));
byId("fit").addEventListener("click", fit);
byId("top").addEventListener("click", showTop);

//---- The whole, with the part that is shown

const overview = element("canvas", {width: 70, height: 220});
const frame = element("div", {id: "frame"});
byId("canvas").append(element("div", {id: "overview", title: "All of the graph; click to go there", onclick: goTo}, overview, frame));

function overviewPlace() {
  const scale = Math.min(overview.width / Math.max(graph.width, 1), overview.height / Math.max(graph.height, 1));
  return {scale, left: (overview.width - graph.width * scale) / 2 - graph.left * scale};
}

/// The boxes, with those that are selected or found.
function drawOverview() {
  const {scale, left} = overviewPlace(), context = overview.getContext("2d");
  const colours = getComputedStyle(document.documentElement);
  const [plain, marked] = ["--edge", "--accent"].map(name => colours.getPropertyValue(name));
  context.clearRect(0, 0, overview.width, overview.height);
  for (const node of graph.boxes) {
    const found = node.found || node.step && node.step === selection.step;
    context.fillStyle = found ? marked : plain;
    context.fillRect(left + (node.x - box.width / 2) * scale, node.y * scale, Math.max(box.width * scale, found ? 4 : 1), Math.max(node.height * scale, found ? 2 : 1));
  }
}

function moveFrame() {
  const {scale, left} = overviewPlace();
  frame.style.left = `${left - view.x / view.scale * scale}px`;
  frame.style.top = `${-view.y / view.scale * scale}px`;
  frame.style.width = `${canvasSize.width / view.scale * scale}px`;
  frame.style.height = `${Math.max(canvasSize.height / view.scale * scale, 3)}px`;
}

function goTo(event) {
  const {scale, left} = overviewPlace(), corner = overview.getBoundingClientRect();
  showAt(view.scale, (event.clientX - corner.left - left) / scale, (event.clientY - corner.top) / scale, canvasSize.height / 2);
}

//---- Selecting

const selected = {boxes: [], lines: []};

selection.listeners.push((step, source) => {
  const node = boxOfStep.get(step), lines = node ? [...node.ins, ...node.outs] : [];
  selected.boxes = moveClass("selected", selected.boxes, node ? [node.drawing] : []);
  selected.lines = moveClass("active", selected.lines, lines.flatMap(line => [line.path, line.label]).filter(Boolean));
  drawOverview();
  if (!node || source === "graph")
    return;
  showAt(Math.max(view.scale, 0.7), node.x, node.y, canvasSize.height / 2 - node.height / 2);
});

/// Marks boxes that a search found; null: there is none.
function markFound(found) {
  picture.classList.toggle("searching", found !== null);
  for (const node of graph.boxes) {
    node.found = found !== null && node.step !== undefined && found.has(node.step);
    node.drawing.classList.toggle("hit", node.found);
  }
  drawOverview();
}

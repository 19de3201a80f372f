// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Places the boxes of a graph in layers, from the inputs down. The result
// depends on the graph alone.
"use strict";

const box = {width: 176, height: 48, small: 24, gap: 22, layerGap: 40, bend: 14};

/// More points than this, at which long edges bend, are left out.
const mostBends = 20000;

/// Boxes of steps, inputs and outputs, and the edges between them.
function graphOf() {
  const boxes = allSteps.map(step => ({step, ins: [], outs: [], layer: 0}));
  const inputs = data.inputs.map(value => ({value, kind: "input", ins: [], outs: [], layer: 0}));
  const outputs = data.outputs.map(value => ({value, kind: "output", ins: [], outs: [], layer: 0}));
  const lines = new Map();
  for (const edge of data.edges) {
    const from = edge.from === undefined ? inputs[edge.input] : boxes[edge.from];
    const to = edge.to === undefined ? outputs[edge.output] : boxes[edge.to];
    if (from === to)
      continue; // a loop's
    const line = {from, to, edge, points: []};
    const key = [edge.from, edge.input, edge.to, edge.output].join();
    if (lines.has(key)) {
      lines.get(key).more = (lines.get(key).more || 0) + 1;
      continue;
    }
    lines.set(key, line);
    from.outs.push(line);
    to.ins.push(line);
  }
  const used = inputs.filter(input => input.outs.length);
  return {boxes: [...used, ...boxes, ...outputs.filter(output => output.ins.length)], lines: [...lines.values()]};
}

/// The longest way from the start; what nothing leads to is beside what needs
/// it. Steps are in order: values flow to later ones.
function assignLayers(graph) {
  for (const node of graph.boxes)
    node.layer = node.ins.reduce((layer, line) => Math.max(layer, line.from.layer + 1), 0);
  for (const node of graph.boxes)
    if (!node.ins.length && node.outs.length)
      node.layer = Math.max(0, Math.min(...node.outs.map(line => line.to.layer)) - 1);
}

/// Layers of more boxes than this become several.
const mostInRow = 24;

function splitLayers(graph) {
  const layers = [];
  for (const node of graph.boxes)
    (layers[node.layer] = layers[node.layer] || []).push(node);
  let next = 0;
  for (const layer of layers) {
    layer.forEach((node, i) => node.layer = next + Math.floor(i / mostInRow));
    next += Math.ceil(layer.length / mostInRow);
  }
}

/// Layers of boxes and of points where edges bend that pass through: one point
/// for all edges of a box.
function makeLayers(graph) {
  const layers = [];
  const put = node => (layers[node.layer] = layers[node.layer] || []).push(node);
  graph.boxes.forEach(put);
  let left = mostBends;
  for (const node of graph.boxes) {
    const bends = new Map();
    for (const line of [...node.outs].sort((a, b) => a.to.layer - b.to.layer)) {
      let before = node;
      for (let layer = node.layer + 1; layer < line.to.layer && left > 0; ++layer) {
        if (!bends.has(layer)) {
          const bend = {kind: "bend", layer, up: [before], down: []};
          bends.set(layer, bend);
          before.down = before.down || [];
          before.down.push(bend);
          put(bend);
          --left;
        }
        before = bends.get(layer);
        line.points.push(before);
      }
      before.down = before.down || [];
      before.down.push(line.to);
      line.to.up = line.to.up || [];
      line.to.up.push(before);
    }
  }
  for (let i = 0; i < layers.length; ++i)
    layers[i] = layers[i] || [];
  return layers;
}

const mean = (nodes, value) => nodes.reduce((sum, node) => sum + value(node), 0) / nodes.length;

/// Reduces crossings: every node goes where its neighbours are.
function orderLayers(layers) {
  const number = layer => layer.forEach((node, i) => node.order = i);
  layers.forEach(number);
  for (let sweep = 0; sweep < 8; ++sweep) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      for (const node of layer) {
        const neighbours = (down ? node.up : node.down) || [];
        node.wish = neighbours.length ? mean(neighbours, other => other.order / Math.max(1, layers[other.layer].length - 1)) : node.order / Math.max(1, layer.length - 1);
      }
      layer.sort((a, b) => a.wish - b.wish || a.order - b.order);
      number(layer);
    }
  }
}

const widthOf = node => node.kind === "bend" ? box.bend : box.width;

/// The places nearest to `wish` of each that keep order and distance: blocks of
/// nodes that touch move together.
function placeLayer(layer) {
  let offset = 0;
  const blocks = [];
  for (const node of layer) {
    node.offset = offset + widthOf(node) / 2;
    offset += widthOf(node) + box.gap;
    let block = {sum: node.wish - node.offset, nodes: [node]};
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).nodes.length >= block.sum / block.nodes.length) {
      const before = blocks.pop();
      block = {sum: before.sum + block.sum, nodes: before.nodes.concat(block.nodes)};
    }
    blocks.push(block);
  }
  for (const block of blocks)
    for (const node of block.nodes)
      node.x = block.sum / block.nodes.length + node.offset;
}

function placeBoxes(layers) {
  for (const layer of layers) {
    layer.forEach(node => node.wish = 0);
    placeLayer(layer);
  }
  for (let sweep = 0; sweep < 10; ++sweep) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      for (const node of layer) {
        const neighbours = (down ? node.up : node.down) || [];
        node.wish = neighbours.length ? mean(neighbours, other => other.x) : node.x;
      }
      placeLayer(layer);
    }
  }
}

/// All of it: boxes with the middle of their upper edge, and the whole's size.
function layOut() {
  const graph = graphOf();
  assignLayers(graph);
  splitLayers(graph);
  const layers = makeLayers(graph);
  orderLayers(layers);
  placeBoxes(layers);
  let y = 0;
  const limits = {left: Infinity, right: -Infinity};
  for (const layer of layers) {
    const height = layer.some(node => node.step) ? box.height : box.small;
    for (const node of layer) {
      node.height = node.kind === "bend" ? height : node.step ? box.height : box.small;
      node.y = y + (height - node.height) / 2;
      limits.left = Math.min(limits.left, node.x - widthOf(node) / 2);
      limits.right = Math.max(limits.right, node.x + widthOf(node) / 2);
    }
    y += height + box.layerGap;
  }
  if (limits.left > limits.right)
    limits.left = limits.right = 0;
  return {...graph, left: limits.left, width: limits.right - limits.left, height: Math.max(0, y - box.layerGap)};
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scan: a body for each element along one axis of some tensors.
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Loops.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// Imports the body for one step.
SmallVector<Val> importStep(NodeBuilder &n, const Graph &body,
                            ArrayRef<Val> state, ArrayRef<Val> elements) {
  SmallVector<Val> arguments(state), out;
  arguments.append(elements.begin(), elements.end());
  if (failed(n.importer.importSubgraph(n, body, arguments, out)))
    out.clear();
  return out;
}

/// The sizes that the body declares for what it collects.
SmallVector<Ints> declaredCollected(const Graph &body, size_t states) {
  SmallVector<Ints> declared;
  for (const ValueInfo &output : ArrayRef(body.outputs).drop_front(states))
    declared.push_back(declaredSizes(output.type));
  return declared;
}

/// Of opset 8: a scan for each element of a batch, which is the first axis of
/// everything; the second one is scanned. Shorter sequences end early: the
/// state stays, and nothing more is collected.
LogicalResult importBatchedScan(NodeBuilder &n, const Graph &body) {
  int64_t count = n.intAttr("num_scan_inputs");
  SmallVector<Val> inputs(n.allInputs().drop_front());
  int64_t states = static_cast<int64_t>(inputs.size()) - count;
  int64_t collected = static_cast<int64_t>(body.outputs.size()) - states;
  if (count < 1 || states < 0 || collected < 0 ||
      body.inputs.size() != inputs.size())
    return n.error("has a body whose inputs or outputs do not fit");
  Ints directions = n.intsAttr("directions", Ints(count, 0));
  if (static_cast<int64_t>(directions.size()) != count)
    return n.error("has directions that do not fit its inputs");
  for (auto [i, v] : llvm::enumerate(inputs))
    if (!v || v.rank() < (static_cast<int64_t>(i) < states ? 1 : 2))
      return n.error("needs a batch axis first in each input, and behind it "
                     "the scanned axis in those that are scanned");
  StepLoop batch{n, n.dim(inputs.front(), 0)};
  Size steps = n.dim(inputs[states], 1);
  for (auto [i, v] : llvm::enumerate(inputs)) {
    n.agree(batch.steps, n.dim(v, 0), "the batches of its inputs");
    if (static_cast<int64_t>(i) > states)
      n.agree(steps, n.dim(v, 1), "the scanned axes");
  }
  if (n.has(0)) {
    if (n.in(0).elem != ElementType::Int64 || n.in(0).rank() != 1)
      return n.error("takes the lengths of its sequences as a vector of int64");
    n.agree(batch.steps, n.dim(n.in(0), 0), "the batches of its inputs");
    inputs.push_back(n.in(0));
  }
  if (n.failed())
    return failure();
  SmallVector<Val> results = batch.run(
      {}, inputs, states + collected,
      [&](ArrayRef<Val>, ArrayRef<Val> elements, Val) {
        Val length = n.has(0) ? elements.back() : Val();
        Size last;
        if (length) {
          last = n.add(n.toSize(n.hostScalar(length)), -1);
          n.require(lt(n.host().size(last), n.host().size(steps)),
                    "no sequence is longer than the scanned axis");
        }
        StepLoop scan{n, steps};
        for (int64_t direction : directions)
          scan.reverseScanned.push_back(direction != 0 && !length);
        scan.declaredCollected = declaredCollected(body, states);
        return scan.run(
            elements.take_front(states), elements.slice(states, count),
            collected, [&](ArrayRef<Val> state, ArrayRef<Val> given, Val step) {
              // Backwards from a sequence's own end.
              SmallVector<Val> scanned(given);
              for (auto [i, direction] : llvm::enumerate(directions))
                if (length && direction != 0)
                  scanned[i] = leadingElement(
                      n, elements[states + i],
                      n.value(n.max(n.sub(last, n.elements(step)->front()),
                                    n.index(0))));
              SmallVector<Val> out = importStep(n, body, state, scanned);
              if (!length || out.size() != size_t(states + collected))
                return out;
              for (auto [i, v] : llvm::enumerate(out)) {
                bool isState = i < state.size();
                if (!v.isTensor() || (isState && (v.elem != state[i].elem ||
                                                  v.rank() != state[i].rank())))
                  return n.fail("gives a state of another type than it takes"),
                         SmallVector<Val>();
                Val rest = isState ? state[i] : n.scalar(v.elem, 0);
                v = n.map({step, length, v, rest}, v.elem,
                          [](ArrayRef<Scalar> x) {
                            return select(lt(x[0], x[1]), x[2], x[3]);
                          });
              }
              return out;
            });
      });
  if (results.empty())
    return failure();
  for (auto [i, v] : llvm::enumerate(results))
    n.out(i, v);
  return success(!n.failed());
}

LogicalResult importScan(NodeBuilder &n) {
  const Graph *body = n.graphAttr("body");
  if (!body)
    return n.error("lacks its body");
  if (n.numInputs() == 0)
    return n.error("has nothing to scan");
  if (n.opset < 9)
    return importBatchedScan(n, *body);
  int64_t count = n.intAttr("num_scan_inputs");
  int64_t states = static_cast<int64_t>(n.numInputs()) - count;
  int64_t collected = static_cast<int64_t>(body->outputs.size()) - states;
  if (count < 1 || states < 0 || collected < 0 ||
      body->inputs.size() != n.numInputs())
    return n.error("has a body whose inputs or outputs do not fit");
  Ints inputAxes = n.intsAttr("scan_input_axes", Ints(count, 0));
  Ints inputDirections = n.intsAttr("scan_input_directions", Ints(count, 0));
  Ints outputAxes = n.intsAttr("scan_output_axes", Ints(collected, 0));
  Ints outputDirections =
      n.intsAttr("scan_output_directions", Ints(collected, 0));
  if (static_cast<int64_t>(inputAxes.size()) != count ||
      static_cast<int64_t>(inputDirections.size()) != count ||
      static_cast<int64_t>(outputAxes.size()) != collected ||
      static_cast<int64_t>(outputDirections.size()) != collected)
    return n.error("has axes or directions that do not fit its inputs and "
                   "outputs");
  SmallVector<Val> carried, scanned;
  for (auto [i, v] : llvm::enumerate(n.allInputs()))
    if (!v)
      return n.error("lacks its input " + Twine(i));
  for (int64_t i = 0; i < states; ++i)
    carried.push_back(n.in(i));
  StepLoop loop{n, n.index(0)};
  for (int64_t i = 0; i < count; ++i) {
    Val v = n.in(states + i);
    int64_t axis = n.axis(inputAxes[i], v.rank());
    if (n.failed())
      return failure();
    Ints order{axis};
    for (int64_t k = 0; k < v.rank(); ++k)
      if (k != axis)
        order.push_back(k);
    scanned.push_back(n.transpose(v, order));
    loop.reverseScanned.push_back(inputDirections[i] != 0);
    if (i == 0)
      loop.steps = n.dim(scanned[0], 0);
    else
      n.agree(loop.steps, n.dim(scanned.back(), 0), "the scanned axes");
  }
  for (int64_t direction : outputDirections)
    loop.reverseCollected.push_back(direction != 0);
  loop.declaredCollected = declaredCollected(*body, states);
  SmallVector<Val> results =
      loop.run(carried, scanned, collected,
               [&](ArrayRef<Val> state, ArrayRef<Val> elements, Val) {
                 return importStep(n, *body, state, elements);
               });
  if (results.empty())
    return failure();
  for (auto [i, v] : llvm::enumerate(results)) {
    int64_t k = static_cast<int64_t>(i) - states;
    if (k >= 0) {
      int64_t axis = n.axis(outputAxes[k], v.rank());
      Ints order;
      for (int64_t d = 1; d < v.rank(); ++d)
        order.push_back(d);
      order.insert(order.begin() + axis, 0);
      v = n.transpose(v, order);
    }
    n.out(i, v);
  }
  return success();
}

} // namespace

void hone::onnx::addScan(OpTable &table) {
  // Checks itself which inputs are omitted: the first one of opset 8 may be.
  table.add("Scan", importScan, 0, kVariadic);
}

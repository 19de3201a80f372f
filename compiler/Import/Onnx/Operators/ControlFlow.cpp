// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// If, Loop and SequenceMap: structured control flow on the host, around
// the kernels of the bodies.
#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/Loops.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// The only element of a bool tensor, as i1.
Value condition(NodeBuilder &n, Val v) {
  if (!v || !v.isTensor() || v.elem != ElementType::Bool ||
      (v.isStatic() && v.type().getNumElements() != 1)) {
    n.fail("needs a condition that is one bool");
    return {};
  }
  return n.hostScalar(v).value;
}

/// A bool tensor without dimensions that holds an i1.
Val boolTensor(NodeBuilder &n, Value bit) {
  Value stored = arith::ExtUIOp::create(n.b, n.loc, n.b.getI8Type(), bit);
  Value tensor = tensor::FromElementsOp::create(
      n.b, n.loc, RankedTensorType::get({}, n.b.getI8Type()), stored);
  n.importer.elements[tensor] = {bit};
  return {tensor, ElementType::Bool};
}

std::optional<bool> knownCondition(Value value) {
  APInt number;
  if (value && matchPattern(value, m_ConstantInt(&number)))
    return !number.isZero();
  return std::nullopt;
}

//===- If -----------------------------------------------------------------===//

/// The first branch only, if the condition must hold.
LogicalResult takeFirstBranch(NodeBuilder &n, ArrayRef<Val> results,
                              scf::IfOp shape, Value chosen) {
  OpBuilder::InsertPoint after = n.b.saveInsertionPoint();
  n.b.setInsertionPoint(shape);
  ScalarBuilder &s = n.host();
  n.require(s.wrap(chosen),
            "the sizes are those for which the first branch is made; the "
            "second gives another number of dimensions");
  shape->getBlock()->getOperations().splice(shape->getIterator(),
                                            shape.thenBlock()->getOperations());
  n.b.restoreInsertionPoint(after);
  n.importer.discard(shape);
  for (auto [i, v] : llvm::enumerate(results))
    n.out(i, v);
  return success(!n.failed());
}

/// Some value with the kind, the rank and the known sizes of another.
Val someLike(NodeBuilder &n, const Val &v) {
  mlir::Type type = v.value.getType();
  if (isa<graph::SequenceType>(type))
    return LibraryCall(n, "sequence_empty").result(type, v.elem)({});
  if (isa<graph::OptionalType>(type))
    return LibraryCall(n, "optional_empty").result(type, v.elem)({});
  Sizes sizes;
  for (int64_t size : v.shape())
    sizes.push_back(n.index(ShapedType::isDynamic(size) ? 0 : size));
  if (v.elem != ElementType::String)
    return n.filled(v.elem, sizes, 0);
  return LibraryCall(n, "take").sized(v.elem, sizes)(
      {n.filled(ElementType::Int64, sizes, 0), texts(n, {""})});
}

/// Reduces a branch with a node that ends each run that takes it to that end.
/// `results` become values of the types that the other branch gives.
LogicalResult endRunIn(NodeBuilder &n, scf::IfOp shape, int branch,
                       const GraphImporter::Fault &fault, ArrayRef<Val> other,
                       SmallVectorImpl<Val> &results) {
  n.importer.warn("node '" + n.node.name + "' (If): its " +
                  (branch == 0 ? "then" : "else") +
                  "_branch ends each run that takes it: " + fault.message);
  OpBuilder::InsertionGuard guard(n.b);
  // Values built there are recorded as sizes.
  auto attempt =
      scf::IfOp::create(n.b, n.loc, TypeRange(), shape.getCondition(),
                        /*addThenBlock=*/true,
                        /*addElseBlock=*/false);
  Block *block = branch == 0 ? shape.thenBlock() : shape.elseBlock();
  attempt.thenBlock()->getOperations().splice(attempt.thenBlock()->begin(),
                                              block->getOperations());
  n.importer.discard(attempt);
  n.b.setInsertionPointToEnd(block);
  Value never = arith::ConstantIntOp::create(n.b, n.loc, 0, 1);
  cf::AssertOp::create(n.b, fault.loc, never, fault.message);
  results.clear();
  for (const Val &v : other)
    results.push_back(someLike(n, v));
  return success(!n.failed());
}

LogicalResult importIf(NodeBuilder &n) {
  const Graph *branches[] = {n.graphAttr("then_branch"),
                             n.graphAttr("else_branch")};
  if (!branches[0] || !branches[1])
    return n.error("lacks a branch");
  Value chosen = condition(n, n.in(0));
  if (n.failed())
    return failure();
  if (std::optional<bool> known = knownCondition(chosen)) {
    SmallVector<Val> results;
    if (failed(n.importer.importBranch(n, *branches[*known ? 0 : 1], results)))
      return failure();
    for (auto [i, v] : llvm::enumerate(results))
      n.out(i, v);
    return success();
  }

  // The results' types are known once both branches exist.
  auto shape = scf::IfOp::create(n.b, n.loc, TypeRange(), chosen,
                                 /*addThenBlock=*/true, /*addElseBlock=*/true);
  SmallVector<Val> results[2];
  Block *blocks[] = {shape.thenBlock(), shape.elseBlock()};
  OpBuilder::InsertPoint after = n.b.saveInsertionPoint();
  bool imported[2] = {false, false};
  GraphImporter::Fault faults[2] = {{"", n.loc}, {"", n.loc}};
  for (int i = 0; i < 2; ++i) {
    n.b.setInsertionPointToEnd(blocks[i]);
    imported[i] = succeeded(
        n.importer.importBranch(n, *branches[i], results[i], &faults[i]));
  }
  n.b.restoreInsertionPoint(after);
  for (int i = 0; i < 2; ++i)
    if (!imported[i] && faults[i].message.empty())
      return failure();
  for (int i = 0; i < 2; ++i) {
    if (imported[i])
      continue;
    if (!imported[1 - i]) {
      n.fault("has two branches of which each ends the run: " +
              faults[0].message);
      return failure();
    }
    if (failed(endRunIn(n, shape, i, faults[i], results[1 - i], results[i])))
      return failure();
  }
  if (results[0].size() != results[1].size())
    return n.error("has branches of different numbers of outputs");
  SmallVector<mlir::Type> types;
  for (auto [i, a] : llvm::enumerate(results[0])) {
    const Val &b = results[1][i];
    mlir::Type type = commonType(a.value.getType(), b.value.getType());
    // "Drop a dimension if it is 1": the rank is fixed here, so the model is
    // compiled for sizes where that holds.
    if (type && isAnyRank(type) && a.isTensor() && b.isTensor() &&
        NodeBuilder::isFree(OpFoldResult(chosen)))
      return takeFirstBranch(n, results[0], shape, chosen);
    if (!type || a.elem != b.elem)
      return n.error("has branches whose outputs " + Twine(i) +
                     " differ in type");
    types.push_back(type);
  }
  for (int i = 0; i < 2; ++i) {
    n.b.setInsertionPointToEnd(blocks[i]);
    SmallVector<Value> yielded;
    for (auto [v, type] : llvm::zip(results[i], types))
      yielded.push_back(castTo(n, v, type).value);
    scf::YieldOp::create(n.b, n.loc, yielded);
  }
  n.b.setInsertionPoint(shape);
  auto op = scf::IfOp::create(n.b, n.loc, types, chosen, true, true);
  op.getThenRegion().takeBody(shape.getThenRegion());
  op.getElseRegion().takeBody(shape.getElseRegion());
  shape.erase();
  n.b.setInsertionPointAfter(op);
  for (auto [i, value] : llvm::enumerate(op.getResults()))
    n.out(i, {value, results[0][i].elem});
  return success();
}

//===- Loop ---------------------------------------------------------------===//

/// One Loop node.
struct LoopImport {
  NodeBuilder &n;
  const Graph &body;
  SmallVector<Val> initial; ///< carried values before the loop
  size_t scans;             ///< number of scan outputs

  /// The iteration number or the condition as the body declares it: some files
  /// declare vectors of one element.
  Val asDeclared(Val v, size_t input) {
    const TypeProto &type = body.inputs[input].type;
    return type.hasShape && type.shape.size() == 1 ? n.reshape(v, n.sizes({1}))
                                                   : v;
  }

  /// True if the body passes its condition through.
  bool keepsCondition() const {
    StringRef name = body.outputs[0].name;
    for (const Node &node : llvm::reverse(body.nodes))
      if (node.opType == "Identity" && node.domain.empty() &&
          node.inputs.size() == 1 && node.outputs.size() == 1 &&
          node.outputs[0] == name)
        name = node.inputs[0];
    return name == body.inputs[1].name;
  }

  /// The body `trips` times, unrolled.
  LogicalResult unroll(int64_t trips) {
    SmallVector<SmallVector<Val>> collected(scans);
    ScalarBuilder &s = n.host();
    for (int64_t i = 0; i < trips; ++i) {
      GraphImporter::UnrolledIteration iteration(n.importer, i, trips);
      SmallVector<Val> arguments{
          asDeclared(n.fromSizes({n.index(i)}, {}), 0),
          asDeclared(n.fromHost(s.boolean(true), {}, ElementType::Bool), 1)};
      arguments.append(initial);
      SmallVector<Val> out;
      if (failed(n.importer.importSubgraph(n, body, arguments, out)))
        return failure();
      if (out.size() != 1 + initial.size() + scans)
        return n.error("has a body with a wrong number of outputs");
      for (size_t k = 0; k < initial.size(); ++k)
        initial[k] = out[1 + k];
      for (size_t k = 0; k < scans; ++k) {
        const Val &element = out[1 + initial.size() + k];
        if (!element.isTensor() ||
            (!collected[k].empty() &&
             (element.rank() + 1 != collected[k][0].rank() ||
              element.elem != collected[k][0].elem)))
          return n.error("collects elements of different kinds");
        collected[k].push_back(n.unsqueeze(element, {0}));
      }
    }
    for (auto [k, v] : llvm::enumerate(initial))
      n.out(k, v);
    for (auto [k, parts] : llvm::enumerate(collected))
      n.out(initial.size() + k, n.concat(parts, 0));
    return success(!n.failed());
  }

  LogicalResult run(Value limit, Value start) {
    WhileLoop loop{n, limit, start};
    for (const ValueInfo &output :
         ArrayRef(body.outputs).drop_front(1 + initial.size()))
      loop.declaredCollected.push_back(declaredSizes(output.type));
    FailureOr<SmallVector<Val>> results = loop.run(
        initial, scans,
        [&](Value step, Value goes,
            ArrayRef<Val> carried) -> FailureOr<WhileLoop::Outcome> {
          SmallVector<Val> arguments{
              asDeclared(n.fromSizes({OpFoldResult(step)}, {}), 0),
              asDeclared(boolTensor(n, goes), 1)};
          arguments.append(carried.begin(), carried.end());
          SmallVector<Val> out;
          if (failed(n.importer.importSubgraph(n, body, arguments, out)))
            return failure();
          if (out.empty())
            return n.error("has a body with a wrong number of outputs");
          Value goOn = condition(n, out[0]);
          if (n.failed())
            return failure();
          return WhileLoop::Outcome{goOn, {out.begin() + 1, out.end()}};
        });
    if (failed(results))
      return failure();
    for (auto [i, v] : llvm::enumerate(*results))
      n.out(i, v);
    return success();
  }
};

LogicalResult importLoop(NodeBuilder &n) {
  const Graph *body = n.graphAttr("body");
  if (!body)
    return n.error("lacks its body");
  size_t carried = n.numInputs() > 2 ? n.numInputs() - 2 : 0;
  if (body->inputs.size() != carried + 2 || body->outputs.size() < carried + 1)
    return n.error("has a body whose inputs or outputs do not fit");
  SmallVector<Val> initial;
  for (size_t i = 0; i < carried; ++i) {
    if (!n.has(i + 2))
      return n.error("leaves out a carried value");
    initial.push_back(n.in(i + 2));
  }
  Value limit, start;
  if (n.has(0)) {
    std::optional<Sizes> trips = n.elements(n.in(0));
    if (!trips || trips->size() != 1)
      return n.error("needs a trip count that is one number");
    limit = n.value(trips->front());
  } else {
    limit = arith::ConstantIndexOp::create(n.b, n.loc,
                                           std::numeric_limits<int64_t>::max());
  }
  if (n.has(1))
    start = condition(n, n.in(1));
  else
    start = arith::ConstantIntOp::create(n.b, n.loc, 1, 1);
  if (n.failed())
    return failure();
  LoopImport loop{n, *body, initial, body->outputs.size() - carried - 1};
  // A few steps are cheaper unrolled, and may change ranks.
  APInt trips;
  if (matchPattern(limit, m_ConstantInt(&trips)) && trips.sge(1) &&
      trips.sle(4) && n.importer.mayRepeat(trips.getSExtValue()) &&
      knownCondition(start) == true && loop.keepsCondition())
    return loop.unroll(trips.getSExtValue());
  return loop.run(limit, start);
}

//===- SequenceMap --------------------------------------------------------===//

LogicalResult importSequenceMap(NodeBuilder &n) {
  const Graph *body = n.graphAttr("body");
  if (!body)
    return n.error("lacks its body");
  auto isSequence = [](Val v) {
    return v && isa<graph::SequenceType>(v.value.getType());
  };
  if (!isSequence(n.in(0)))
    return n.error("needs a sequence as its first input");
  OpBuilder &b = n.b;
  auto int64Scalar = RankedTensorType::get({}, b.getI64Type());
  Val length = LibraryCall(n, "sequence_length")
                   .result(int64Scalar, ElementType::Int64)({n.in(0)});
  std::optional<Sizes> count = n.elements(length);
  if (!count)
    return failure();
  Value zero = arith::ConstantIndexOp::create(b, n.loc, 0);
  Value one = arith::ConstantIndexOp::create(b, n.loc, 1);
  SmallVector<mlir::Type> types(
      body->outputs.size(),
      sequenceOf(UnrankedTensorType::get(b.getF32Type())));
  SmallVector<mlir::Type> &settled = n.importer.settledTypes();
  if (settled.size() == types.size())
    types = settled;
  // The element types follow from the body: it is imported twice.
  for (int attempt = 0; attempt < 2; ++attempt) {
    SmallVector<Value> initial;
    for (mlir::Type type : types)
      initial.push_back(LibraryCall(n, "sequence_empty")
                            .result(type, ElementType::Undefined)({})
                            .value);
    auto loop = scf::ForOp::create(b, n.loc, zero, n.value(count->front()), one,
                                   initial);
    OpBuilder::InsertPoint after = b.saveInsertionPoint();
    Block *block = loop.getBody();
    b.setInsertionPointToStart(block);
    Val at = n.fromSizes({OpFoldResult(block->getArgument(0))}, {});
    SmallVector<Val> arguments, out;
    for (Val v : n.allInputs()) {
      if (!isSequence(v)) {
        arguments.push_back(v);
        continue;
      }
      mlir::Type element =
          cast<graph::SequenceType>(v.value.getType()).getElementType();
      arguments.push_back(
          LibraryCall(n, "sequence_at").result(element, v.elem)({v, at}));
    }
    LogicalResult imported =
        n.importer.importSubgraph(n, *body, arguments, out);
    SmallVector<Value> yielded;
    SmallVector<mlir::Type> next;
    for (auto [i, v] : llvm::enumerate(out)) {
      if (failed(imported) || !v.isTensor())
        break;
      next.push_back(sequenceOf(v.value.getType()));
      yielded.push_back(LibraryCall(n, "sequence_append")
                            .setType("type", v.elem)
                            .result(next.back(), v.elem)(
                                {{block->getArgument(i + 1), v.elem}, v})
                            .value);
    }
    if (succeeded(imported) && yielded.size() == types.size())
      scf::YieldOp::create(b, n.loc, yielded);
    b.restoreInsertionPoint(after);
    if (failed(imported))
      return failure();
    if (yielded.size() != types.size())
      return n.error("has a body whose outputs are not tensors");
    if (next == types) {
      settled = types;
      for (auto [i, value] : llvm::enumerate(loop.getResults()))
        n.out(i, {value, out[i].elem});
      return success();
    }
    types = next;
    n.importer.discard(loop);
  }
  return n.error("has outputs whose types do not converge");
}

} // namespace

void hone::onnx::addControlFlow(OpTable &table) {
  table.add("If", importIf, 1);
  constexpr uint64_t carried = ~uint64_t(0) << 2;
  table.addAny("Loop", importLoop, 0, kVariadic, carried);
  table.addAny("SequenceMap", importSequenceMap, 1, kVariadic, ~uint64_t(0));
}

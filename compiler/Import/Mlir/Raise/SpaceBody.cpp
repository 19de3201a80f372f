// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the body of a map gets the elements of operands.
#include "compiler/Import/Mlir/Raise/SpaceBody.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

void SpaceBody::take(const Operand &operand) {
  Value aligned = operand.tensor ? s.align(operand, space) : Value();
  if (!aligned) {
    indexed.push_back(&operand);
    return;
  }
  arguments.push_back(&operand);
  inputs.push_back(aligned);
}

void SpaceBody::begin(Body &body, OpBuilder &b, ValueRange elements) {
  body.coordinates.resize(s.loops.size());
  for (auto [dim, loop] : llvm::enumerate(space.loops)) {
    Value coordinate = graph::IndexOp::create(b, s.r.loc, dim);
    s.r.limits[coordinate] = s.loops[loop];
    body.coordinates[loop] = coordinate;
  }
  for (auto [operand, element] : llvm::zip_equal(arguments, elements))
    body.defineStored(operand->argument, element);
}

LogicalResult SpaceBody::read(Body &body) {
  for (const Operand *operand : indexed) {
    if (!operand->tensor) {
      body.define(operand->argument, body.lookup(operand->old));
      continue;
    }
    SmallVector<Value> indices;
    for (AffineExpr expr : operand->map.getResults()) {
      indices.push_back(body.evaluate(expr, body.coordinates));
      if (!indices.back())
        return s.r.fail(s.op, "it reads an operand at places that are no sums, "
                              "multiples and quotients of indices");
    }
    body.define(operand->argument,
                body.extract(operand->tensor, indices,
                             getElementTypeOrSelf(operand->old)));
  }
  return success();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of the user's own operators: sizes by one function, memory for them,
// and the other function. Nothing that they say is trusted but their pointers.
#include "hone/custom.h"
#include "runtime/core/Session.h"
#include "runtime/library/Call.h"

#include <stdio.h>

using namespace hone;
using namespace hone::library;

namespace {

class CustomCall {
public:
  CustomCall(Call &call, const hone_custom_node &node)
      : call(call), node(node), inputs(call, call.operandCount),
        outputs(call, call.resultCount), dims(call, call.resultCount) {}

  int32_t run();

private:
  using Dims = int64_t[HONE_MAX_RANK];

  bool readInputs();
  bool checkOutput(int32_t index);
  int32_t fail(const char *format, int32_t output, int32_t given,
               int32_t expected);
  int32_t failWith(const char *reason);

  Call &call;
  const hone_custom_node &node;
  Scratch<hone_tensor> inputs, outputs;
  Scratch<Dims> dims;
};

/// Runs a task of the user's on the threads of the run.
int32_t runParallel(const hone_custom_call *given, int64_t pieces,
                    hone_task_fn function, void *task) {
  if (pieces <= 0)
    return 0;
  return static_cast<Call *>(given->core)->runPieces(pieces, function, task);
}

} // namespace

int32_t CustomCall::failWith(const char *reason) {
  call.frame->session->failure.setReason(HONE_BAD_VALUE, call.node, reason);
  return call.failed();
}

int32_t CustomCall::fail(const char *format, int32_t output, int32_t given,
                         int32_t expected) {
  char reason[Failure::longestReason];
  snprintf(reason, sizeof reason, format, output, given, expected);
  return failWith(reason);
}

bool CustomCall::readInputs() {
  for (int32_t i = 0; i < call.operandCount; ++i) {
    inputs[i] = {};
    if (!call.has(i))
      continue;
    Tensor tensor = call.tensor(i);
    if (!tensor)
      return false;
    inputs[i] = {tensor.data, tensor.dims, tensor.rank, node.types[i]};
  }
  for (int32_t i = 0; i < call.resultCount; ++i) {
    outputs[i] = {nullptr, dims[i], 0, HONE_TYPE_UNDEFINED};
    for (int64_t &dim : dims[i])
      dim = HONE_DIM_UNKNOWN;
  }
  return true;
}

/// Checks what the function for sizes said, and makes the output.
bool CustomCall::checkOutput(int32_t index) {
  const hone_tensor &given = outputs[index],
                    &expected = call.results[index].as.tensor;
  int32_t type = node.types[call.operandCount + index];
  if (given.rank != expected.rank) {
    fail("the shape function gives output %d the rank %d, and gave it %d when "
         "the model was compiled",
         index, given.rank, expected.rank);
    return false;
  }
  if (given.type != type) {
    fail("the shape function gives output %d the type %d, and gave it %d when "
         "the model was compiled",
         index, given.type, type);
    return false;
  }
  if (hone_rt_check_dims(call.frame, call.node, typeBits(type), given.rank,
                         dims[index], /*overflows=*/0) != HONE_OK) {
    call.failed();
    return false;
  }
  Tensor made = call.make(index, type, given.rank, dims[index]);
  if (!made)
    return false;
  outputs[index] = {made.data, made.dims, made.rank, made.type};
  return true;
}

int32_t CustomCall::run() {
  if (!inputs || !outputs || !dims || !readInputs())
    return call.status;
  const hone_custom_operator *op =
      hone_custom_find(node.table ? node.table : call.frame->session->operators,
                       node.domain, node.name, node.version);
  if (!op)
    return failWith("the session was not given this custom operator");
  char message[Failure::longestReason] = "";
  hone_custom_call given = {};
  given.size = sizeof given;
  given.input_count = call.operandCount;
  given.output_count = call.resultCount;
  given.attribute_count = int32_t(node.attribute_count);
  given.inputs = inputs.data();
  given.outputs = outputs.data();
  given.output_dims = dims.data();
  given.attributes = node.attributes;
  given.threads = call.threads();
  given.parallel = runParallel;
  given.message = message;
  given.message_bytes = sizeof message;
  given.op = op;
  given.core = &call;
  auto succeeds = [&](hone_custom_fn function) {
    if (!function(&given))
      return true;
    message[sizeof message - 1] = 0;
    failWith(*message ? message : "the custom operator failed");
    return false;
  };
  if (!succeeds(op->shape))
    return call.status;
  for (int32_t i = 0; i < call.resultCount; ++i)
    if (!checkOutput(i))
      return call.status;
  return succeeds(op->run) ? int32_t(HONE_OK) : call.status;
}

HONE_LIBRARY(custom) { return CustomCall(call, call.custom()).run(); }

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values in ONNX's .pb files: a TensorProto, SequenceProto or OptionalProto, as
// in the folders of its test data. The compiler's reader needs LLVM, so this is
// another.
#ifndef HONE_TOOLS_RUN_ONNXVALUE_H
#define HONE_TOOLS_RUN_ONNXVALUE_H

#include "tools/hone-run/Array.h"

namespace hone::run {

/// Reads the value of an input or output. An optional is its element, or
/// HONE_KIND_NONE if that is absent. Throws Failure.
hone_value readOnnxValue(const std::string &path, const hone_value_info &info,
                         ValueStore &store);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_ONNXVALUE_H

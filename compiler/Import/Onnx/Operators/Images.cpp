// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decodes image files.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace hone::onnx;

static LogicalResult importImageDecoder(NodeBuilder &n) {
  StringRef format = n.stringAttr("pixel_format", "RGB");
  int64_t number = llvm::StringSwitch<int64_t>(format)
                       .Case("RGB", 0)
                       .Case("BGR", 1)
                       .Case("Grayscale", 2)
                       .Default(-1);
  if (number < 0)
    return n.error("has a pixel_format that ONNX does not define: '" + format +
                   "'");
  return n.out(LibraryCall(n, "decode_image")
                   .set("format", number)
                   .tensor(ElementType::Uint8,
                           {-1, -1, number == 2 ? 1 : 3})({n.in(0)}));
}

void hone::onnx::addImages(OpTable &table) {
  table.add("ImageDecoder", importImageDecoder, 1);
}

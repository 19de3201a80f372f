// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `hone_rt` dialect.
#ifndef HONE_DIALECTS_RT_RTDIALECT
#define HONE_DIALECTS_RT_RTDIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Rt_Dialect : Dialect {
  let name = "hone_rt";
  let cppNamespace = "::hone::rt";
  let summary = "the host plan of a model: kernel calls, buffers and runtime services";
  let useDefaultAttributePrinterParser = 1;
}

def Rt_DeviceAttr : AttrDef<Rt_Dialect, "Device"> {
  let mnemonic = "device";
  let summary = "memory space of buffers on the device; buffers without a space are on the host";
}

#endif // HONE_DIALECTS_RT_RTDIALECT

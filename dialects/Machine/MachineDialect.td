// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `hone_machine` dialect: targets of compilation.
#ifndef HONE_DIALECTS_MACHINE_MACHINEDIALECT
#define HONE_DIALECTS_MACHINE_MACHINEDIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Machine_Dialect : Dialect {
  let name = "hone_machine";
  let cppNamespace = "::hone::machine";
  let summary = "descriptions of the processors that code is compiled for";
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

class Machine_Attr<string cppName, string attrMnemonic, string machineType> : AttrDef<Machine_Dialect, cppName> {
  let mnemonic = attrMnemonic;
  let parameters = (ins machineType:$machine);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Machine_CpuAttr : Machine_Attr<"Cpu", "cpu", "::hone::CpuMachine"> {
  let summary = "a CPU: its vector unit, pipelines and caches, and the expected number of threads";
  let description = [{
    Set on a module as `hone_machine.cpu`. The fields are those of `CpuMachine`; omitted ones, or the whole attribute,
    default to x86-64-v3.
  }];
}

def Machine_GpuAttr : Machine_Attr<"Gpu", "gpu", "::hone::GpuMachine"> {
  let summary = "a GPU: its multiprocessors and their shared memory";
  let description = [{
    Set as `hone_machine.gpu` on a module with a kernel for a GPU. The fields are those of `GpuMachine`; omitted ones,
    or the whole attribute, default to sm_80.
  }];
}

#endif // HONE_DIALECTS_MACHINE_MACHINEDIALECT

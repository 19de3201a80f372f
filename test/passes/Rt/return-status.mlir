// RUN: hone-opt %s --hone-return-status | FileCheck %s

// A step that fails ends the function with its status.
// CHECK-LABEL: llvm.func @hone_run(
// CHECK:         %[[STATUS:.+]] = llvm.call @step()
// CHECK:         llvm.cond_br %{{.+}}, ^{{.+}}, ^{{.+}}
// CHECK-NOT:     @hone.return_if
llvm.func @step() -> i32
llvm.func @hone.return_if(i32)
llvm.func @hone_run(%frame: !llvm.ptr) -> i32 {
  %status = llvm.call @step() : () -> i32
  llvm.call @hone.return_if(%status) : (i32) -> ()
  %zero = llvm.mlir.constant(0 : i32) : i32
  llvm.return %zero : i32
}

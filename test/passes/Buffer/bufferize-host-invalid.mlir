// RUN: hone-opt %s --hone-bufferize-host --verify-diagnostics

// expected-error @below {{the entry function must have one block}}
func.func @main(%again: i1) {
  cf.br ^next
^next:
  cf.cond_br %again, ^next, ^end
^end:
  return
}

llvm.func @fits() {
  llvm.return
}

// -----

// expected-error @below {{'func.func' op must not be left in a kernel after the 'llvm' phase}}
func.func private @left() attributes {hone.kernel}

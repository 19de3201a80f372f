# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# TableGen helpers. Generated files are in the build tree under the folder of their .td,
# so C++ includes "dialects/Graph/GraphOps.h.inc". Libraries declared later depend on them
# automatically.

# hone_tablegen(target source.td [out.inc "-flags"]...)
function(hone_tablegen target td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(TABLEGEN_OUTPUT "")
  set(rest ${ARGN})
  while(rest)
    list(POP_FRONT rest out flags)
    separate_arguments(flags UNIX_COMMAND "${flags}")
    mlir_tablegen(${out} ${flags}
      EXTRA_INCLUDES "${PROJECT_SOURCE_DIR}" ${MLIR_INCLUDE_DIRS})
  endwhile()
  add_public_tablegen_target(${target})
  set_property(GLOBAL APPEND PROPERTY HONE_TABLEGEN_TARGETS ${target})
endfunction()

# hone_tablegen_dialect(Graph hone [SHARDS n]): GraphOps.td of this folder, with the
# dialect `hone`, its types, attributes, enums and ops, gives Graph{Dialect,Types,
# Attrs,Enums,Ops}.{h,cpp}.inc and the target HoneGraphIncGen. With SHARDS, the .cpp
# is split by GET_OP_DEFS_0 ... n-1, to be compiled in n files.
function(hone_tablegen_dialect name dialect)
  cmake_parse_arguments(ARG "" "SHARDS" "" ${ARGN})
  set(shards "")
  if(ARG_SHARDS)
    set(shards "-op-shard-count=${ARG_SHARDS}")
  endif()
  hone_tablegen(Hone${name}IncGen ${name}Ops.td
    ${name}Dialect.h.inc "-gen-dialect-decls -dialect=${dialect}"
    ${name}Dialect.cpp.inc "-gen-dialect-defs -dialect=${dialect}"
    ${name}Types.h.inc "-gen-typedef-decls -typedefs-dialect=${dialect}"
    ${name}Types.cpp.inc "-gen-typedef-defs -typedefs-dialect=${dialect}"
    ${name}Attrs.h.inc "-gen-attrdef-decls -attrdefs-dialect=${dialect}"
    ${name}Attrs.cpp.inc "-gen-attrdef-defs -attrdefs-dialect=${dialect}"
    ${name}Enums.h.inc "-gen-enum-decls"
    ${name}Enums.cpp.inc "-gen-enum-defs"
    ${name}Ops.h.inc "-gen-op-decls -dialect=${dialect} ${shards}"
    ${name}Ops.cpp.inc "-gen-op-defs -dialect=${dialect} ${shards}")
endfunction()

# hone_tablegen_interface(HoneIncGenName Foo): op interfaces of Foo.td in Foo.{h,cpp}.inc.
function(hone_tablegen_interface target name)
  hone_tablegen(${target} ${name}.td
    ${name}.h.inc "-gen-op-interface-decls"
    ${name}.cpp.inc "-gen-op-interface-defs")
endfunction()

# hone_tablegen_passes(Graph): Passes.td of this folder gives Passes.h.inc, with
# registerGraphPasses(), and the target HoneGraphPassesIncGen.
function(hone_tablegen_passes group)
  hone_tablegen(Hone${group}PassesIncGen Passes.td
    Passes.h.inc "-gen-pass-decls -name=${group}")
endfunction()

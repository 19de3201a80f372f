# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# hone_add_model(NAME MODEL.onnx [STATIC] [SYMBOL function] [CPU levels] [TARGET devices]
#                [DIMS name=size...] [OPTIONS option...] [DEPENDS file...])
#
# A library target that is compiled from a model as part of the build. Who links it
# includes NAME.h, the typed header of the model, whose functions begin with SYMBOL, or
# NAME where none is given. STATIC puts the model into the program. CPU, TARGET and DIMS
# are those of `hone compile`, OPTIONS any others; DEPENDS names other files that the model
# is read from. A shared library needs to be found at run time as any other does: CMake
# sees to it in the build tree, and install(IMPORTED_RUNTIME_ARTIFACTS NAME) installs it.
function(hone_add_model name model)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "STATIC" "SYMBOL;CPU;TARGET" "DIMS;OPTIONS;DEPENDS")
  if(ARG_UNPARSED_ARGUMENTS OR ARG_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "hone_add_model(${name}): cannot make sense of "
      "'${ARG_UNPARSED_ARGUMENTS}${ARG_KEYWORDS_MISSING_VALUES}'")
  endif()
  if(NOT ARG_SYMBOL)
    string(MAKE_C_IDENTIFIER "${name}" ARG_SYMBOL)
  endif()
  get_filename_component(model "${model}" ABSOLUTE)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}.model")
  file(MAKE_DIRECTORY "${folder}")
  set(kind SHARED)
  set(library "${folder}/lib${name}.so")
  if(ARG_STATIC)
    set(kind STATIC)
    set(library "${folder}/lib${name}.a")
  endif()
  set(options --quiet --header --symbol ${ARG_SYMBOL} ${ARG_OPTIONS})
  if(ARG_CPU)
    list(APPEND options --cpu=${ARG_CPU})
  endif()
  if(ARG_TARGET)
    list(APPEND options --target=${ARG_TARGET})
  endif()
  foreach(dim IN LISTS ARG_DIMS)
    list(APPEND options --dim ${dim})
  endforeach()
  add_custom_command(OUTPUT "${library}" "${folder}/${name}.h"
    COMMAND Hone::hone compile "${model}" -o "${library}" ${options}
    COMMAND "${CMAKE_COMMAND}" -E rename "${folder}/lib${name}.h" "${folder}/${name}.h"
    DEPENDS "${model}" ${ARG_DEPENDS} COMMENT "Compiling the model ${name}" VERBATIM)
  add_custom_target(${name}-compile DEPENDS "${library}" "${folder}/${name}.h")
  add_library(${name} ${kind} IMPORTED GLOBAL)
  add_dependencies(${name} ${name}-compile)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${folder}")
  if(ARG_STATIC)
    find_package(Threads REQUIRED)
    set_property(TARGET ${name} PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads m ${CMAKE_DL_LIBS})
  else()
    set_property(TARGET ${name} PROPERTY IMPORTED_SONAME "lib${name}.so")
  endif()
endfunction()

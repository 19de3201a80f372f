# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# How C++ is compiled: flags, ccache, the precompiled header of MLIR headers, and the helpers
# that every folder's CMakeLists.txt uses. README.md beside this file shows them in use.

# ccache shares objects between checkouts at different paths; each setting is needed for that
# or for the precompiled header.
find_program(HONE_CCACHE ccache)
if(HONE_CCACHE)
  foreach(lang IN ITEMS C CXX)
    set(CMAKE_${lang}_COMPILER_LAUNCHER env
      "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
      CCACHE_INODECACHE=1 CCACHE_SLOPPINESS=pch_defines,time_macros
      "${HONE_CCACHE}")
  endforeach()
endif()

set(HONE_WARNING_FLAGS -Wall -Wextra -Wno-unused-parameter)
set(HONE_CXX_FLAGS -fPIC -fno-exceptions
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -fdebug-compilation-dir=.
  # Packages preserve the modification times of their headers: it is the version in the
  # command line that makes an upgrade rebuild.
  -DHONE_LLVM_VERSION="${LLVM_PACKAGE_VERSION}")

set(HONE_SANITIZE_FLAGS "")
if(HONE_SANITIZE)
  set(HONE_SANITIZE_FLAGS -fsanitize=${HONE_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()
# Programs share the sanitizer's library with Python, which has to preload it and passes that
# on to the programs it starts.
set(HONE_SANITIZE_LINK_FLAGS ${HONE_SANITIZE_FLAGS})
if(HONE_SANITIZE MATCHES "address")
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=libclang_rt.asan-x86_64.so
    OUTPUT_VARIABLE asan_library OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  cmake_path(GET asan_library PARENT_PATH asan_folder)
  list(APPEND HONE_SANITIZE_LINK_FLAGS -shared-libsan "-Wl,-rpath,${asan_folder}")
endif()

# Where programs of an installation find its libraries.
file(RELATIVE_PATH HONE_PROGRAM_RPATH "/prefix/${CMAKE_INSTALL_BINDIR}" "/prefix/${CMAKE_INSTALL_LIBDIR}")
set(HONE_PROGRAM_RPATH "$ORIGIN/${HONE_PROGRAM_RPATH}")

# hone_sanitize(target): instruments a target in a sanitizer tree. Everything but
# the part of the runtime that is linked into compiled models calls it.
function(hone_sanitize target)
  if(HONE_SANITIZE)
    target_compile_options(${target} PRIVATE ${HONE_SANITIZE_FLAGS})
    target_link_options(${target} PRIVATE ${HONE_SANITIZE_LINK_FLAGS})
  endif()
endfunction()

if(HONE_BUILD_COMPILER)
  # Folders name only the two shared libraries of the package, MLIR and LLVM: a static
  # component in addition would bring a second copy of its globals. A tool that is STATIC links
  # all components as archives instead.
  add_library(hone_mlir INTERFACE)
  target_include_directories(hone_mlir SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS})
  target_include_directories(hone_mlir INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>"
    "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>"
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime/include>"
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/compiler/include>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/hone-cpp>")
  target_link_libraries(hone_mlir INTERFACE
    "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:HONE_STATIC>>>:MLIR;LLVM>")
  # LLD's archives name the shared LLVM themselves.
  set_target_properties(lldELF PROPERTIES
    INTERFACE_LINK_LIBRARIES "lldCommon;ZLIB::ZLIB;zstd::libzstd_shared")
  set_target_properties(lldCommon PROPERTIES INTERFACE_LINK_LIBRARIES "")

  # The precompiled header is made once per set of flags and kept in a per-user store, where
  # every checkout finds it (PrecompiledHeader.cmake).
  set(HONE_PCH "${PROJECT_BINARY_DIR}/pch/hone.pch")
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/pch")
  string(TOUPPER "${CMAKE_BUILD_TYPE}" config)
  separate_arguments(pch_flags UNIX_COMMAND
    "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${config}}")
  list(APPEND pch_flags ${HONE_CXX_FLAGS} ${HONE_SANITIZE_FLAGS} -std=c++17)
  list(FILTER pch_flags EXCLUDE REGEX "-prefix-map=|-compilation-dir=")
  set(pch_isystem "")
  foreach(dir IN LISTS MLIR_INCLUDE_DIRS)
    list(APPEND pch_isystem -isystem "${dir}")
  endforeach()
  set(pch_header "${CMAKE_CURRENT_LIST_DIR}/pch.h")
  set(pch_script "${CMAKE_CURRENT_LIST_DIR}/PrecompiledHeader.cmake")
  add_custom_command(OUTPUT "${HONE_PCH}" DEPENDS "${pch_header}" "${pch_script}"
    COMMAND "${CMAKE_COMMAND}" "-DOUT=${HONE_PCH}" "-DHEADER=${pch_header}"
      "-DKEY=${LLVM_PACKAGE_VERSION} ${CMAKE_CXX_COMPILER_VERSION}"
      -P "${pch_script}" -- ${CMAKE_CXX_COMPILER} ${pch_flags} ${pch_isystem}
      -Xclang -fno-pch-timestamp -fpch-instantiate-templates
    COMMENT "Precompiling MLIR's headers" VERBATIM)
  add_custom_target(hone_pch DEPENDS "${HONE_PCH}")
endif()

# hone_use_mlir(target [NO_PCH]): what libraries, tools and unit tests share.
function(hone_use_mlir target)
  cmake_parse_arguments(ARG "NO_PCH" "" "" ${ARGN})
  target_link_libraries(${target} PUBLIC hone_mlir)
  target_compile_options(${target} PRIVATE ${HONE_CXX_FLAGS} ${HONE_WARNING_FLAGS})
  # -fPIC is in the flags above; CMake would use -fPIE for programs, which does
  # not match the precompiled header.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  hone_sanitize(${target})
  get_property(tablegen GLOBAL PROPERTY HONE_TABLEGEN_TARGETS)
  if(tablegen)
    add_dependencies(${target} ${tablegen})
  endif()
  if(ARG_NO_PCH)
    return()
  endif()
  # A relative path, so that the command line is the same in every checkout.
  target_compile_options(${target} PRIVATE "SHELL:-include-pch pch/hone.pch")
  get_target_property(sources ${target} SOURCES)
  set_source_files_properties(${sources} PROPERTIES OBJECT_DEPENDS "${HONE_PCH}")
  add_dependencies(${target} hone_pch)
endfunction()

# hone_add_library(name SOURCES a.cpp b.cpp [LINK libs...] [DEPENDS targets...] [NO_PCH]) A
# static library of one folder. LINK is public; MLIR and LLVM are implied.
function(hone_add_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES} ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_NO_PCH)
    hone_use_mlir(${name} NO_PCH)
  else()
    hone_use_mlir(${name})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY HONE_INSTALL_TARGETS ${name})
endfunction()

# hone_add_tool(name [COMPONENT c] SOURCES main.cpp [LINK libs...] [STATIC]): a program in
# build/bin that links MLIR, and the component that it is installed with (HoneInstall.cmake).
# STATIC: for one that is started often, as relocating the shared libraries takes 20 ms.
# Programs that must not link MLIR (hone, hone-run) use add_executable.
function(hone_add_tool name)
  cmake_parse_arguments(ARG "STATIC" "COMPONENT" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} ${ARG_UNPARSED_ARGUMENTS})
  hone_use_mlir(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  if(ARG_STATIC)
    file(GLOB archives "${LLVM_LIBRARY_DIR}/libMLIR*.a" "${LLVM_LIBRARY_DIR}/libLLVM*.a")
    set_target_properties(${name} PROPERTIES HONE_STATIC ON)
    target_link_libraries(${name} PRIVATE ${archives} ${CMAKE_DL_LIBS} Threads::Threads)
    # LLD's support for link-time optimization, which is never run, refers to Polly, whose
    # archive is not in the package.
    target_link_options(${name} PRIVATE
      -Wl,--gc-sections -Wl,--defsym=_Z18getPollyPluginInfov=0)
  endif()
  if(ARG_COMPONENT)
    install(TARGETS ${name} RUNTIME COMPONENT ${ARG_COMPONENT})
  endif()
endfunction()

# hone_add_unittest(NameTests SOURCES a.cpp [LINK libs...] [NO_MLIR]): a GoogleTest
# program in build/test/unit; its name must end in Tests, by which lit finds it.
# Sources include <gtest/gtest.h>; main comes with it.
function(hone_add_unittest name)
  cmake_parse_arguments(ARG "NO_MLIR" "" "SOURCES;LINK" ${ARGN})
  if(NOT TARGET GTest::gtest_main)
    find_package(GTest REQUIRED)
  endif()
  add_executable(${name} ${ARG_SOURCES} ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_NO_MLIR)
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}"
      "${PROJECT_SOURCE_DIR}/runtime/include")
    hone_sanitize(${name})
  else()
    hone_use_mlir(${name})
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main Threads::Threads)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/test/unit")
  set_property(GLOBAL APPEND PROPERTY HONE_UNIT_TESTS ${name})
endfunction()

# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The installed package, in three components: `runtime` runs compiled models, `compiler` makes them, and
# `development` is the compiler as C++ libraries, the only one to need the development packages of MLIR and
# LLD. HoneConfig.cmake.in says what each offers.
include(CMakePackageConfigHelpers)

# A wheel has no symbolic links, and the licence beside its metadata.
set(HONE_SOVERSION ".${PROJECT_VERSION_MAJOR}")
if(SKBUILD)
  set(HONE_SOVERSION "")
  foreach(library IN ITEMS hone_runtime hone_compiler)
    if(TARGET ${library})
      set_property(TARGET ${library} PROPERTY VERSION)
      set_property(TARGET ${library} PROPERTY SOVERSION)
    endif()
  endforeach()
  install(FILES LICENSE DESTINATION "${SKBUILD_METADATA_DIR}/licenses" COMPONENT runtime)
endif()

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/Hone")
set(include "${CMAKE_INSTALL_INCLUDEDIR}")
function(hone_install_libraries component)
  cmake_parse_arguments(ARG "" "EXPORT" "" ${ARGN})
  if(ARG_EXPORT)
    set(ARG_EXPORT EXPORT ${ARG_EXPORT})
  endif()
  install(TARGETS ${ARG_UNPARSED_ARGUMENTS} ${ARG_EXPORT}
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${component}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${component})
endfunction()
function(hone_install_pkgconfig component)
  set(name hone-${component})
  configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${name}.pc.in" "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT ${component})
endfunction()
# The package is relocatable.
file(RELATIVE_PATH HONE_PC_INCLUDE "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix/${include}")

hone_install_libraries(runtime hone_core hone_runtime)
hone_install_pkgconfig(runtime)
install(DIRECTORY runtime/include/ DESTINATION "${include}" COMPONENT runtime)

if(HONE_BUILD_COMPILER)
  hone_install_libraries(compiler hone_compiler)
  hone_install_pkgconfig(compiler)
  install(DIRECTORY compiler/include/ DESTINATION "${include}" COMPONENT compiler)

  get_property(libraries GLOBAL PROPERTY HONE_INSTALL_TARGETS)
  hone_install_libraries(development hone_mlir ${libraries} EXPORT HoneDevelopment)
  install(EXPORT HoneDevelopment NAMESPACE Hone:: DESTINATION "${package}" COMPONENT development)
  set(cpp "${include}/hone-cpp")
  install(DIRECTORY dialects passes compiler DESTINATION "${cpp}" COMPONENT development
    FILES_MATCHING PATTERN "*.h" PATTERN "*.td"
    PATTERN "include" EXCLUDE)
  install(DIRECTORY "${PROJECT_BINARY_DIR}/dialects" "${PROJECT_BINARY_DIR}/passes"
    DESTINATION "${cpp}" COMPONENT development
    FILES_MATCHING PATTERN "*.inc" PATTERN "CMakeFiles" EXCLUDE)
endif()

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/HoneConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/HoneConfig.cmake" INSTALL_DESTINATION "${package}"
  PATH_VARS CMAKE_INSTALL_BINDIR CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/HoneConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/HoneConfig.cmake" "${PROJECT_BINARY_DIR}/HoneConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/HoneModel.cmake" DESTINATION "${package}" COMPONENT runtime)
